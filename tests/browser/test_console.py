"""The console: a request as a picture, dead letters, numbers; and not for everybody."""

import re
import uuid

import pytest
from browser.stage import turns
from playwright.sync_api import expect

from parley.adapters.postgres.api import Views
from parley.channels.outcome import Delivered, Retry


@pytest.fixture
def told(page, stage):
    """A request with everything: a tool, an approval, a delivery that worked at its second attempt."""
    stage.sign_in(page)
    played = stage.take(stage.asked(page, "I need a new laptop"))
    played.thought()
    played.call("check_laptop")
    seen = len(stage.events)
    played.ask("order_laptop", {"model": "Standard 14"}, "Order a Standard 14 for you")
    page.get_by_role("button", name="Approve").click()
    again = stage.take(stage.next(seen))
    again.say("It is ")
    again.thought("It is ordered.")
    [due] = again.answer("It is ordered.", ranks=("email",))
    turns(page, 1)
    again.attempt(due, Retry("the vendor answered 503", code="503"))
    again.attempt(due, Delivered("id-1"))
    return again.turn.request_id


def test_a_request_is_a_picture_of_its_functions(context, stage, told):
    """Each lane with its spans; each attempt; the same in words. What was said is not in it."""
    context.clear_cookies()
    page = context.new_page()
    stage.sign_in(page, "support", path="/console")

    page.goto(f"/console#timeline/{told}")

    picture = page.get_by_role("img", name="Timeline of a request that is completed")
    expect(picture).to_be_visible()
    for lane in ("request-api", "agent-turn", "tools", "person", "deliver-email"):
        expect(picture.locator(".lane", has_text=lane)).to_be_visible()
    expect(picture.locator("[data-kind=attempt]")).to_have_count(2)
    expect(picture.locator("[data-kind=attempt][data-is=failed]")).to_have_count(1)
    expect(picture.locator("[data-kind=approval][data-is=done]")).to_have_count(1)
    page.get_by_text("In words").click()
    expect(page.locator(".words")).to_contain_text("tools: check_laptop")
    assert "It is ordered" not in page.content()


def test_a_picture_moves_while_the_request_does(page, stage):
    """What still goes on has no end; when it ends, the page shows it without being asked."""
    stage.sign_in(page, "admin")
    request_id = stage.asked(page, "How old must my laptop be?")
    played = stage.take(request_id)
    page.goto(f"/console#timeline/{request_id}")
    expect(page.locator("[data-kind=turn][data-open]")).to_have_count(1)

    played.answer("Three years.")

    expect(page.locator("[data-kind=end]")).to_have_count(1)
    expect(page.locator("[data-kind=turn][data-open]")).to_have_count(0)


def test_a_dead_letter_is_looked_at_and_replayed(page, stage):
    """It goes to the broker again, and leaves the list."""
    kind = "parley.test.replayed"
    stage.letter(kind)
    stage.sign_in(page, "admin", path="/console")
    page.get_by_role("link", name="Dead letters").first.click()
    row = page.get_by_role("row", name=re.compile(kind))
    row.get_by_role("button", name="Look").click()
    expect(page.get_by_role("dialog")).to_contain_text('"specversion"')
    page.keyboard.press("Escape")

    row.get_by_role("button", name="Replay").click()

    expect(row).to_have_count(0)
    assert [event.type for event in stage.events].count(kind) == 1


def test_trouble_is_over_when_an_admin_says_so(page, stage, database_rows):
    """What is open is listed, with why; it leaves the list, and opens again when it is not over."""
    name = f"webhook:{uuid.uuid4()}"
    database_rows(
        "insert into circuits (name, failing_since, failures, trips, opened_at, until, reason)"
        " values (%s, now(), 3, 1, now(), now() + interval '1 hour', 'it does not answer') returning name", name,
    )  # fmt: skip
    stage.sign_in(page, "admin", path="/console")
    page.get_by_role("link", name="Trouble").click()
    row = page.get_by_role("row", name=re.compile(name))
    expect(row).to_contain_text("it does not answer")

    row.get_by_role("button", name=f"{name} is over").click()

    expect(row).to_have_count(0)
    assert database_rows("select count(*) from circuits where name = %s", name) == [(0,)]


def test_how_a_person_is_reached_is_explained(context, page, stage):
    """From a request to its person: each channel with where it comes from, and their receivers; with a new secret."""
    email = f"{uuid.uuid4().hex}@example.org"
    stage.sign_in(page, email=email)
    request_id = stage.asked(page, "How old must my laptop be?")
    owner = stage.database.row("standing", id=request_id)["user_id"]
    values = {"enabled": True, "rank": 1, "config": {"url": "https://1.1.1.1/hook"}}
    Views(stage.database).put_integration(owner, "webhook", values)
    page.get_by_role("button", name="How I am told").click()
    page.get_by_role("button", name="New secret").click()
    expect(page.get_by_role("dialog").get_by_text("whsec_")).to_be_visible()
    context.clear_cookies()
    page.close()
    page = context.new_page()
    stage.sign_in(page, "admin", path="/console")

    page.goto(f"/console#timeline/{request_id}")
    page.get_by_role("link", name="a person").click()

    expect(page.get_by_role("group", name="In force").get_by_role("row", name="webhook")).to_contain_text("rank: user")
    receiver = page.get_by_role("group", name="Receivers").get_by_role("row", name="webhook")
    expect(receiver).to_contain_text("ok")
    expect(receiver).to_contain_text("2")
    receiver.get_by_role("button", name="Send what it missed").click()
    expect(page.locator("#live")).to_contain_text("once more")


def test_numbers_are_plotted(page, stage):
    """Questions, times, votes: each plot says in words what it shows."""
    stage.sign_in(page)
    stage.take(stage.asked(page, "How old must my laptop be?")).answer("Three years.")
    turns(page, 1)
    page.get_by_role("button", name="It helped").click()
    expect(page.get_by_text("Thank you.")).to_be_visible()

    page.context.clear_cookies()
    stage.sign_in(page, "support", path="/console")

    expect(page.get_by_role("img", name="Questions over time")).to_be_visible()
    expect(page.get_by_role("img", name="Time from the question to the answer")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile(r"answers: \d+ helped"))).to_be_visible()


def test_users_have_no_console(ann, stage):
    """The page says so; the API would refuse them anyway."""
    ann.goto("/console")

    expect(ann.get_by_role("heading", name="The console is for support and admins.")).to_be_visible()
    with stage.fault("403"):
        assert ann.evaluate("fetch('/api/v1/admin/metrics').then((got) => got.status)") == 403
