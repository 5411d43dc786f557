"""Which way mail goes: by a mail server, or by Amazon SES."""

from parley.adapters.mailing import Transport
from parley.errors import Misconfigured


def transport(
    smtp_url: str | None,
    region: str | None = None,
    events: str | None = None,
    *,
    access_key: str | None = None,
    secret_key: str | None = None,
    endpoint: str | None = None,
) -> Transport:
    """Give the transport that is configured. Raises Misconfigured."""
    if smtp_url:
        from parley.adapters.smtp import Server, SmtpTransport

        return SmtpTransport(Server.of(smtp_url))
    if not region:
        raise Misconfigured("SMTP_URL: required, unless SES_REGION names where Amazon SES sends")
    from parley.adapters.aws import Amazon
    from parley.adapters.ses import SesTransport

    amazon = Amazon("sesv2", region, access_key=access_key, secret_key=secret_key, endpoint=endpoint)
    return SesTransport(amazon, events)
