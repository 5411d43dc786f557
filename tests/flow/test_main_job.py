"""From a question to its delivered answer, through every hop, in both local modes."""

import threading

from standardwebhooks import Webhook

from devkit.receiver import WebhookReceiver
from devkit.slack import ALICE, BOT_USER, GENERAL
from parley import telemetry

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "tracestate": "rojo=00f067aa0ba902b7"}
CANARIES = ("Zwetschgenknoedel", "0151-5550199", "ann.canary@example.org", "hooks.example.org", "hunter2")


def test_question_over_http_is_answered_with_a_citation(world):
    """Sync: the answer comes back in the call, from the knowledge base, and says from where."""
    answer = world.ask()

    body = answer.json()
    assert answer.status_code == 200
    assert body["status"] == "completed"
    assert "48 months" in body["result"]["text"]
    assert body["result"]["citations"][0]["document"] == "laptop-refresh"


def test_question_over_http_can_be_polled(world):
    """Async: 202 with links; status and result follow the request."""
    accepted = world.ask(prefer="respond-async")

    links = accepted.json()["links"]
    result = world.until(lambda: (r := world.get(links["result"])).status_code == 200 and r).json()
    assert accepted.status_code == 202
    assert accepted.headers["Location"] == links["status"]
    assert "48 months" in result["result"]["text"]
    assert world.get(links["status"]).json()["status"] == "completed"


def test_mention_is_answered_once_in_its_thread(world):
    """The same event four times, and as message and app_mention, is one answer in the right thread."""
    ts = world.slack.say(GENERAL, ALICE, f"<@{BOT_USER}> How do I reset my password?")
    payloads = world.slack.events_for(ts)

    statuses = [world.deliver(payload) for _ in range(4) for payload in payloads]
    [posted] = world.until(lambda: world.answers(ts))
    world.until(world.settled)

    assert {payload["event"]["type"] for payload in payloads} == {"message", "app_mention"}
    assert set(statuses) == {200}
    assert "password" in posted["text"].lower()
    assert len(world.answers(ts)) == 1


def test_two_messages_at_one_moment_are_answered_in_order(world):
    """Two questions to one session at once: two answers, in the order of the questions."""
    ts = world.say("How old must my laptop be in EMEA?")
    world.until(lambda: len(world.answers(ts)) == 1)
    barrier = threading.Barrier(2)

    def ask(text):
        reply = world.slack.say(GENERAL, ALICE, f"<@{BOT_USER}> {text}", thread_ts=ts)
        barrier.wait()
        for payload in world.slack.events_for(reply):
            world.deliver(payload)

    threads = [threading.Thread(target=ask, args=(text,)) for text in ("VPN error 809", "guest Wi-Fi for a visitor")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers = world.until(lambda: len(found := world.answers(ts)) == 3 and found)
    world.until(world.settled)

    asked = world.rows(
        "select r.content, r.result->>'text' from requests r where r.thread like %s order by r.seq", f"%:{ts}"
    )
    assert len(world.answers(ts)) == 3
    assert (
        len({session for (session,) in world.rows("select session_id from requests where thread like %s", f"%:{ts}")})
        == 1
    )
    for (_, text), posted in zip(asked, answers, strict=True):
        heading = text.split("**")[1]
        assert heading in posted["text"]


def test_conversation_goes_on(world):
    """A short follow-up is read together with the question before it."""
    first = world.ask("Am I eligible for a laptop refresh?").json()

    second = world.ask("and in Germany?", session_id=first["session_id"]).json()

    assert second["session_id"] == first["session_id"]
    assert second["result"]["citations"][0]["document"] == "laptop-refresh"


def test_webhook_is_signed_and_verified(world):
    """An answer by webhook passes the official verifier, with the secret that its owner was shown once."""
    with WebhookReceiver() as hook:
        shown = world.put("/api/v1/users/me/integrations/webhook", {"config": {"url": hook.url}})
        body = world.ask("VPN error 691", delivery={"channels": ["webhook"]}).json()
        [request] = hook.wait_for(1)

    sent = Webhook(shown.json()["secret"]).verify(request.body, dict(request.headers))
    again = world.get("/api/v1/users/me/integrations").json()["items"]
    assert shown.status_code == 201
    assert sent["data"]["request_id"] == body["request_id"]
    assert "secret" not in str(again)


def test_test_channel_shows_what_it_would_have_sent(world):
    """The test channel is a channel like any other; what it would have sent is read over the API."""
    body = world.ask("the VPN is slow", delivery={"channels": ["test"]}).json()

    def delivered():
        found = world.get("/api/v1/users/me/deliveries").json()["items"]
        return [d for d in found if d["request_id"] == body["request_id"] and d["state"] == "delivered"]

    [delivery] = world.until(delivered)
    attempts = world.get(f"/api/v1/deliveries/{delivery['id']}").json()["attempts"]
    assert attempts[-1]["outcome"] == "delivered"
    assert body["result"]["text"][:20] in str(attempts[-1]["sent"])


def test_dead_webhook_is_tried_by_its_schedule_and_leaves_no_dead_letter(world):
    """A receiver that is not there: the broker's retry at once, then the delivery's own pauses, with why."""
    world.put("/api/v1/users/me/integrations/webhook", {"config": {"url": "http://127.0.0.1:9/nobody"}})
    body = world.ask("how do I book a meeting room", delivery={"channels": ["webhook"]}).json()

    query = (
        "select id::text, reason, not_before - now() > interval '3 minutes' as waits from deliveries"
        " where request_id = %s and failures = 2 and state = 'queued'"
    )
    [(delivery_id, reason, waits)] = world.until(lambda: world.rows(query, body["request_id"]), 90)
    attempts = world.rows("select outcome from delivery_attempts where delivery_id = %s", delivery_id)
    assert ("receiver" in reason, waits) == (True, True)
    assert attempts == [("retry",), ("retry",)]
    assert world.rows("select 1 from dead_letters where subject = %s", delivery_id) == []


def test_malformed_event_is_refused_at_the_door(world):
    """The broker's ingress answers 400; nothing is stored."""
    before = world.rows("select count(*) from dead_letters")

    answer = world.inject("", {})

    assert answer.status_code == 400
    assert world.rows("select count(*) from dead_letters") == before


def test_invalid_data_is_kept_whole_and_harms_nothing(world):
    """A matched event with data that its contract refuses is 422 and lands in the dead letters; all else goes on."""
    data = {"request_id": "no uuid", "note": "keep me"}

    answer = world.inject("parley.request.created", data, **{"ce-subject": "bad-1"})

    [(code, reason, kept)] = world.until(
        lambda: world.rows("select code, reason, event->'data' from dead_letters where subject = 'bad-1'")
    )
    assert answer.status_code == 202
    assert code == 422
    assert "request_id" in reason
    assert kept == data
    assert world.ask("guest Wi-Fi").status_code == 200


def ancestors(span, spans):
    """The names of a span and of those that it lies in, from the outermost on."""
    by_id = {one.id: one for one in spans}
    names = [span.name]
    while span.parent in by_id:
        span = by_id[span.parent]
        names.insert(0, span.name)
    return names


def has(*names):
    return lambda spans: set(names) <= {span.name for span in spans}


def test_a_question_in_slack_is_one_trace_from_the_request_to_the_delivery(world):
    """Each event carries on where it was published; claims, the agent and its search lie within."""
    thread = world.say()
    world.until(lambda: world.answers(thread))

    spans = world.collector.until(has("POST /slack/events", "send slack", "publish parley.message.received"))

    [sent] = [span for span in spans if span.name == "send slack"]
    searched, *_ = [span for span in spans if span.name == "search knowledge"]
    hops = [
        "POST /slack/events", "publish parley.message.received", "process parley.message.received",
        "publish parley.request.created", "process parley.request.created",
    ]  # fmt: skip
    assert ancestors(searched, spans) == [*hops, "invoke_agent routing", "search knowledge"]
    assert ancestors(sent, spans) == [
        *hops, "publish parley.response.ready", "process parley.response.ready", "send slack",
    ]  # fmt: skip
    assert sent.attributes["parley.outcome"] == "delivered"
    [(stored,)] = world.rows("select traceparent from requests where traceparent like %s", f"%{sent.trace}%")
    assert telemetry.trace_id(stored) == sent.trace, "a nudge goes on with it"


def test_a_callers_trace_goes_on_to_the_delivery_with_its_state(world):
    """W3C Trace Context from the caller's own span, by the CloudEvents extension from hop to hop."""
    key = {"Authorization": f"Bearer {world.parley.facts['key']}"}
    body = {"content": "How do I reset my password?", "delivery": {"channels": ["test"]}}
    world.http.post(world.parley.url + "/api/v1/requests", json=body, headers={**key, **CALLER})

    whole = has("POST /api/v1/requests", "send test")
    spans = world.collector.until(lambda spans: spans[0].trace == TRACE and whole(spans))

    [asked] = [span for span in spans if span.name == "POST /api/v1/requests"]
    assert asked.parent == "b7ad6b7169203331"
    assert {span.state for span in spans} == {CALLER["tracestate"]}


def test_nothing_that_people_say_and_no_secret_is_in_the_logs_or_the_spans(world):
    """Words, numbers, addresses and keys go through every function; their logs and spans hold ids and words of ours."""
    words = "My Zwetschgenknoedel laptop is broken, call 0151-5550199 or write to ann.canary@example.org. hunter2"
    world.put("/api/v1/users/me/integrations/webhook", {"config": {"url": "https://hooks.example.org/canary"}})
    asked = world.ask(words, delivery={"channels": ["test"]}).json()
    thread = world.say(words, user=ALICE)
    world.inject("parley.response.ready", {"channel": "test", "request_id": words}, **{"ce-channel": "test"})
    world.inject("parley.request.created", b'{"request_id": "' + words.encode() + b'"}')
    world.until(lambda: world.answers(thread))
    world.until(lambda: world.rows("select 1 from dead_letters having count(*) >= 2"))

    lines = (world.parley.home / "log").read_text(encoding="utf-8").splitlines()
    log = "\n".join(line for line in lines if line.startswith("{"))  # the rest is for whoever has started it
    spans = [str(span) for trace in world.collector.traces().values() for span in trace]
    secrets = [world.slack.token, world.slack.signing_secret, world.parley.facts["key"]]
    for secret in (*CANARIES, *secrets):
        assert secret not in log
        assert not [span for span in spans if secret in span]
    assert asked["request_id"] in log, "the logs do tell of it"
    functions = ("slack-ingest", "request-api", "normalize", "agent-turn", "deliver-slack", "deliver-test", "recover")
    assert not [name for name in functions if f'"function": "{name}"' not in log]
