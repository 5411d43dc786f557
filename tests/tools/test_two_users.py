"""
Two people, thousands of random calls with every tool and every argument that may be somebody else's: nobody sees or
changes what is not theirs. Long version: QUERIES=10000.
"""

import os
import random

import httpx
import pytest
from tools.conftest import KEY

from parley import tokens
from parley.domain import ids
from parley.domain.actions import digest

QUERIES = int(os.environ.get("QUERIES", "1500"))
OWN = {"ann": ("AF104712", "Ann Alder", "ann@example.org"), "bob": ("AF104713", "Bob Finch", "bob@example.org")}


@pytest.fixture
def call(desk_url, world):
    """Call a tool for a user, with a token that is true."""
    signer, http = tokens.Signer(KEY), httpx.Client(timeout=30)

    def run(user, tool, arguments, key=None):
        caller = tokens.Caller(
            world.users[user], f"{user}@example.org", (), "it-desk", key or ids.new(), digest(tool, arguments)
        )
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
        headers = {"Authorization": f"Bearer {signer.token(caller, 'service-desk')}"}
        return http.post(desk_url, json=message, headers=headers)

    yield run
    http.close()


def test_nobody_sees_or_changes_what_is_not_theirs(call, rows):
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    chance = random.Random(seed)
    print(f"SEED={seed}")
    keys = [ids.new() for _ in range(20)]  # effect keys come again, also the other person's
    for number in range(QUERIES):
        user, other = chance.choice((("ann", "bob"), ("bob", "ann")))
        tool, arguments = wanted(chance, rows if number % 50 == 0 else None)
        shown = call(user, tool, arguments, chance.choice(keys) if chance.random() < 0.3 else None).text
        assert not any(secret in shown for secret in OWN[other][:1] if secret not in str(arguments)), (tool, arguments)
        assert OWN[other][1] not in shown
        assert f"mark-of-{other}" not in shown, (tool, arguments)
        if number % 10 == 0:
            call(user, "open_ticket", {"kind": "request", "summary": f"something, mark-of-{user}"})
    crossed = rows(
        "select t.* from desk_tickets t join desk_laptops l on l.asset = t.asset where l.email <> t.email"
        " union all select * from desk_tickets where summary like '%%mark-of-ann%%' and email <> 'ann@example.org'"
        " union all select * from desk_tickets where summary like '%%mark-of-bob%%' and email <> 'bob@example.org'"
    )
    assert crossed == []
    effects = rows("select t.email, count(*) from desk_effects e join desk_tickets t using (number) group by t.email")
    assert all(one["email"] in ("ann@example.org", "bob@example.org") for one in effects)


def wanted(chance, _rows):
    """Give any tool with arguments that are anybody's."""
    asset = chance.choice(("AF104711", "AF104712", "AF104713", "AF000000"))
    return chance.choice((
        ("find_laptops", {}),
        ("list_tickets", {}),
        ("check_refresh", {"asset": asset}),
        ("order_refresh", {"asset": asset, "model": chance.choice(("Standard 14", "Mac 14", "Performance 16")),
                           "delivery": "home"}),
        ("cancel_ticket", {"number": 100001 + chance.randrange(200)}),
        ("find_laptops", {"email": "bob@example.org"}),
        ("list_tickets", {"user": "ann@example.org"}),
    ))  # fmt: skip


@pytest.mark.parametrize("victim", ["ann", "bob"])
def test_a_ticket_of_somebody_else_cannot_be_cancelled(call, rows, victim):
    other = {"ann": "bob", "bob": "ann"}[victim]
    call(victim, "open_ticket", {"kind": "request", "summary": "mine and nobody else's"})
    number = rows("select number from desk_tickets")[0]["number"]
    refused = call(other, "cancel_ticket", {"number": number}).json()["result"]
    assert refused["isError"]
    assert rows("select state from desk_tickets") == [{"state": "open"}]
    assert not call(victim, "cancel_ticket", {"number": number}).json()["result"]["isError"]
    assert rows("select state from desk_tickets") == [{"state": "cancelled"}]


def test_the_same_effect_key_is_the_same_ticket(call, rows):
    key, ticket = ids.new(), {"kind": "request", "summary": "only one of these, please"}
    said = {call("ann", "open_ticket", ticket, key).text for _ in range(5)}
    assert len(said) == 1
    assert len(rows("select * from desk_tickets")) == 1


def test_an_effect_key_of_somebody_else_tells_nothing(call, rows):
    """Bob uses the key of Ann's call: he gets neither her ticket nor one of his own."""
    key, ticket = ids.new(), {"kind": "request", "summary": "a secret of ann, mark-of-ann"}
    call("ann", "open_ticket", ticket, key)
    shown = call("bob", "open_ticket", {"kind": "request", "summary": "something of bob"}, key).text
    assert "mark-of-ann" not in shown
    assert [row["email"] for row in rows("select email from desk_tickets")] == ["ann@example.org"]


def test_a_conversation_of_somebody_else_is_never_told(world):
    """Each has a conversation in the same place; what a model is told of the other's is nothing."""
    world.say("hello, mark-of-ann", user="ann")
    world.say("hello, mark-of-bob", user="bob")
    world.engine.asked.clear()
    world.say("what did I say", user="bob")
    assert "mark-of-bob" in str(world.engine.asked)
    assert "mark-of-ann" not in str(world.engine.asked)
