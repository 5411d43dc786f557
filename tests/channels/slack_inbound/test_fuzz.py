"""Whatever comes with Slack's signature: it is read, ignored or refused, and what is read fits the contract."""

import json
import os
import random
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest
from channels.slack_inbound.cases import CASES, spoilt

from devkit.slack import sign
from parley import envelope, ingest
from parley.channels import slack_inbound
from parley.domain.events import MessageReceived

TRIES = int(os.environ.get("FUZZ_CASES", "4000"))


def body(chance):
    """One request: Slack's own with something spoilt in it, or noise."""
    case = chance.choice(CASES)
    payload = spoilt(case.payload, chance)
    match chance.randrange(20):
        case 0:
            return chance.randbytes(chance.randrange(200))
        case 1:
            return json.dumps(payload).encode()[: chance.randrange(400)]
    if case.is_json:
        return json.dumps(payload).encode()
    fields = payload if case.is_form else {"payload": json.dumps(payload)}
    return urlencode({name: str(value).encode("utf-8", "replace") for name, value in fields.items()}).encode()


def test_any_request_is_read_ignored_or_refused():
    """`FUZZ_CASES=100000` tries as many; nothing but NotSlack is raised, and something follows from what is read."""
    chance = random.Random(7)
    kinds = set()

    for _ in range(TRIES):
        request = body(chance)
        try:
            found = slack_inbound.read(request)
        except slack_inbound.NotSlack:
            continue
        json.dumps([found.answer, found.view, found.sorry])
        if found.data is not None:
            MessageReceived.model_validate({**found.data, "view": "V1"} if found.view else found.data)
            kinds.add(found.data["kind"])
        assert found.data or found.view or found.answer is not None or found.ignored, request

    assert kinds == {case.gives for case in CASES} - {None}  # it is not all noise


class Taken:
    """A broker, and Slack's forms, that take everything; as it goes over the wire."""

    def send(self, event):
        headers, _ = envelope.to_binary(event)
        assert all(value.isascii() and value.isprintable() for value in headers.values()), headers

    def open(self, *_):
        return "V1"


def test_no_request_is_answered_with_an_error_of_ours():
    """Through the whole door: 200, or 400 for what nobody can read."""
    chance, statuses = random.Random(11), set()
    door = ingest.Ingest(Taken(), Taken(), secrets=["secret"], event_key="key", clock=lambda: 1700000000)

    for _ in range(TRIES // 4 if TRIES < 100_000 else TRIES):
        request = body(chance)
        signed = sign("secret", request, 1700000000)
        answer = door(SimpleNamespace(method="POST", headers=signed, get_data=lambda request=request: request))
        statuses.add(answer[1])

    assert statuses == {200, 400}


@pytest.mark.parametrize("depth", [10, 1000, 200_000])
def test_depth_is_no_weapon(depth):
    """JSON that is nested deeply is refused or ignored."""
    nested = b'{"type":"event_callback","event":' + b"[" * depth + b"]" * depth + b"}"

    try:
        assert slack_inbound.read(nested).ignored
    except slack_inbound.NotSlack:
        assert depth >= 1000
