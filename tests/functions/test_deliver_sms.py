"""deliver-sms from its folder, on a real PostgreSQL, against a server that speaks SNS's XML."""

from devkit.serving import LocalServer, Reply

TAKEN = b"""<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>"""


def test_a_text_is_sent_once(answered, rank, deliver, row):
    """One Publish for one delivery; SNS's id is kept."""
    (due,) = answered(rank("sms", 1, to="+491234567"))
    requests = []

    def answer(request):
        requests.append(request)
        return Reply(200, TAKEN, {"Content-Type": "text/xml"})

    with LocalServer(answer) as service:
        settings = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s", "SNS_ENDPOINT_URL": service.url}
        sms = deliver("sms", AWS_REGION="eu-west-1", **settings)
        replies = [sms(due), sms(due)]

    assert replies == [(202, None), (202, None)]
    assert len(requests) == 1
    assert row("select provider_id from deliveries")["provider_id"] == "m-1"
