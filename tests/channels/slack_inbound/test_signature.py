"""Whether Slack sent a request: over bytes, within five minutes, and never with an exception."""

import random

import pytest

from parley.channels.slack_inbound import is_signed

# The example of Slack's documentation.
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
STAMP = 1531420618
BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
    b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
    b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a1"
    b"4d10d2c447fce8b6703c"
)
SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
HEADERS = {"X-Slack-Request-Timestamp": str(STAMP), "X-Slack-Signature": SIGNATURE}


def test_slacks_own_example_is_signed():
    """The documented secret, timestamp and body give the documented signature; a second secret allows rotation."""
    assert is_signed([SECRET], HEADERS, BODY, STAMP)
    assert is_signed(["other", SECRET], HEADERS, BODY, STAMP + 299)


@pytest.mark.parametrize(
    ("headers", "body", "now"),
    [
        ({}, BODY, STAMP),
        ({**HEADERS, "X-Slack-Signature": "v0=" + "0" * 64}, BODY, STAMP),
        ({**HEADERS, "X-Slack-Signature": "é"}, BODY, STAMP),
        ({**HEADERS, "X-Slack-Request-Timestamp": "abc"}, BODY, STAMP),
        ({**HEADERS, "X-Slack-Request-Timestamp": ""}, BODY, STAMP),
        ({**HEADERS, "X-Slack-Request-Timestamp": "1531420618.5"}, BODY, STAMP),
        ({**HEADERS, "X-Slack-Request-Timestamp": "٤٢"}, BODY, STAMP),
        ({**HEADERS, "X-Slack-Request-Timestamp": "9" * 400}, BODY, STAMP),
        (HEADERS, BODY + b" ", STAMP),
        (HEADERS, b"\xff\xfe", STAMP),
        (HEADERS, BODY, STAMP + 301),
        (HEADERS, BODY, STAMP - 301),
    ],
)
def test_what_is_malformed_is_simply_not_signed(headers, body, now):
    """Never an exception: every malformed header is a wrong signature, old and future timestamps too."""
    assert not is_signed([SECRET], headers, body, now)


def test_nothing_is_signed_without_a_secret():
    """It fails closed."""
    assert not is_signed([], HEADERS, BODY, STAMP)


def _spoilt(chance):
    """Give headers and a body that Slack never sent, made from ones that it did."""
    kind = chance.randrange(8)
    stamp, signature, body = str(STAMP), SIGNATURE, BODY
    junk = "".join(
        chr(chance.choice((0, 9, 34, 48, 61, 102, 127, 233, 0x661, 0xD7FF))) for _ in range(chance.randrange(90))
    )
    at = chance.randrange(len(BODY))
    match kind:
        case 0:
            signature = junk
        case 1:
            signature = signature[: chance.randrange(len(signature))]
        case 2:
            signature = signature.replace("v0=", chance.choice(("v1=", "", "V0=", "v0", "v0=v0=")))
        case 3:
            stamp = junk
        case 4:
            stamp = str(STAMP + chance.choice((-1, 1)) * chance.randrange(301, 10**9))
        case 5:
            body = body[:at] + bytes((body[at] ^ (1 << chance.randrange(8)),)) + body[at + 1 :]
        case 6:
            body = body[:at]
        case 7:
            signature = signature[:3] + signature[3:].upper()
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature}, body


def test_nothing_that_was_spoilt_is_signed():
    """Two hundred malformed signatures, timestamps and bodies: none is taken for Slack's."""
    chance = random.Random(20261126)

    taken = [spoilt for spoilt in (_spoilt(chance) for _ in range(200)) if is_signed([SECRET], *spoilt, STAMP)]

    assert taken == []
