"""The README's pictures of the page: `make pictures`. Played as the tests play it, in the same Chromium."""

from pathlib import Path

import pytest
from browser.stage import turns
from playwright.sync_api import expect

from parley.channels.outcome import Delivered, Retry

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
LAPTOP = (
    "Your laptop **AF104711** is 41 months old, so it may be replaced: in EMEA the refresh age is *36 months*.\n\n"
    "1. I order a **Standard 14** to your office.\n2. You keep the old one until it has arrived.\n"
    "3. Send it back within two weeks.\n\nShall I order it?"
)


@pytest.fixture(params=["light", "dark"])
def looks(request, context):
    """A window in this scheme."""
    page = context.new_page()
    page.emulate_media(color_scheme=request.param, reduced_motion="reduce")
    page.set_viewport_size({"width": 1180, "height": 900})
    page.set_default_timeout(60_000)
    page.scheme = request.param
    return page


def conversation(page, stage):
    """Ask for a laptop, up to the approval. Gives the turn."""
    first = stage.take(stage.asked(page, "I need a new laptop. May I have one?"))
    first.thought()
    first.call("my_laptop")
    first.say(LAPTOP)
    first.thought(LAPTOP)
    first.answer(LAPTOP)
    turns(page, 1)
    second = stage.take(stage.asked(page, "Yes, order it please"))
    second.thought()
    second.ask(
        "order_laptop",
        {"asset": "AF104711", "model": "Standard 14"},
        "Order a Standard 14 in place of the laptop AF104711, delivered to your office",
    )
    return second


def test_chat(looks, stage):
    """An answer with its source, and what waits for a decision."""
    stage.sign_in(looks, email=f"ann-{looks.scheme}@alderfinch.example")
    conversation(looks, stage)
    expect(looks.get_by_role("button", name="Approve")).to_be_visible()
    looks.locator(".turn").first.evaluate("turn => turn.scrollIntoView()")

    looks.screenshot(path=PICTURES / f"chat-{looks.scheme}.png")


def test_console(looks, stage):
    """One request through its functions."""
    stage.sign_in(looks)
    conversation(looks, stage)
    seen = len(stage.events)
    looks.get_by_role("button", name="Approve").click()
    again = stage.take(stage.next(seen))
    again.call("order_laptop")
    again.thought("It is ordered.")
    [due] = again.answer("It is ordered: ticket REQ100001.", ranks=("email",))
    turns(looks, 2)
    again.attempt(due, Retry("the vendor answered 503", code="503"))
    again.attempt(due, Delivered("id-1"))
    looks.context.clear_cookies()
    stage.sign_in(looks, "support", email=f"bo-{looks.scheme}@alderfinch.example", path="/console")
    looks.goto(f"/console#timeline/{again.turn.request_id}")
    expect(looks.get_by_role("img", name="Timeline of a request that is completed")).to_be_visible()
    expect(looks.get_by_role("heading", name="Deliveries")).to_be_visible()

    looks.screenshot(path=PICTURES / f"console-{looks.scheme}.png")
