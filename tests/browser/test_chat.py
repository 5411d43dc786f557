"""Asking on the page: answers that stream, are cut and go on; approvals; conversations that come back."""

import re

from browser.stage import turns
from playwright.sync_api import expect

from parley.adapters.postgres.api import Views

QUESTION = "How old must my laptop be?"


def test_who_is_not_signed_in_signs_in_and_comes_back(page, stage):
    """To where they wanted to go."""
    page.goto("/chat?session=x")
    page.wait_for_url("**/sign-in?then=*")

    page.get_by_label("API key").fill(stage.key())
    page.get_by_role("button", name="Sign in with the key").click()

    page.wait_for_url("**/chat*")
    expect(page.get_by_role("heading", name="What do you need?")).to_be_visible()


def test_a_wrong_key_says_so_and_lets_nobody_in(page, stage):
    """In words, and to who listens."""
    with stage.fault("401"):
        page.goto("/sign-in")
        page.get_by_label("API key").fill("pk_wrong")
        page.keyboard.press("Enter")

        expect(page.get_by_role("alert")).to_contain_text("not valid")


def test_nobody_is_sent_elsewhere_after_signing_in(page, stage):
    """A link to sign in that leads to another site afterwards is a trap."""
    for then in ("https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"):
        page.goto("about:blank")  # nothing of the last page is in flight any more
        page.context.clear_cookies()
        page.goto(f"/sign-in?then={then}")
        page.get_by_label("API key").fill(stage.key())
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(re.escape(stage.url) + r"/(?!sign-in)"))


def test_an_answer_streams_and_is_complete_with_its_sources(ann, stage):
    """Words appear while they are written; at the end the stored answer and its sources stand there."""
    played = stage.take(stage.asked(ann, QUESTION))

    played.say("Laptops are ", "replaced after **three")
    expect(ann.locator(".answer")).to_contain_text("replaced after")
    played.call("check_laptop")
    expect(ann.locator(".chip[data-is=done]")).to_contain_text("check laptop")
    played.answer("Laptops are replaced after **three years** [1].\n\n| Region | Months |\n|---|--:|\n| EMEA | 36 |")

    turns(ann, 1)
    expect(ann.locator(".answer strong")).to_have_text("three years")
    expect(ann.locator(".answer td").last).to_have_text("36")
    expect(ann.get_by_role("list", name="Sources")).to_contain_text("Laptop refresh policy")
    expect(ann.locator("#live")).to_contain_text("three years")


def test_a_stream_that_is_cut_goes_on_without_gap_or_repeat(ann, stage):
    """The server ends each stream after a second: the browser comes back behind the last event that it has."""
    asked = []
    ann.on("request", lambda r: asked.append(r.headers.get("last-event-id")) if r.url.endswith("/events") else None)
    played = stage.take(stage.asked(ann, QUESTION))
    said = ""

    for number in range(1, 3):
        word = f"word{number} "
        said += word
        played.say(word)
        expect(ann.locator(".answer")).to_have_text(said.strip())
        with ann.expect_request("**/events"):  # the next one, after the cut
            pass
    played.say("end")
    expect(ann.locator(".answer")).to_have_text(said + "end")
    played.answer(said + "end")

    turns(ann, 1)
    assert len(asked) >= 3


def test_what_was_said_is_there_again_after_a_reload(ann, stage):
    """Also an answer that is on its way; all that has ended by one call."""
    stage.take(stage.asked(ann, QUESTION)).answer("Three years.")
    turns(ann, 1)
    played = stage.take(stage.asked(ann, "And in the Americas?"))
    played.say("Four ")
    expect(ann.locator(".answer").last).to_have_text("Four")

    asked = []
    ann.on("request", lambda request: asked.append(request.url) if "/requests" in request.url else None)
    ann.reload()

    expect(ann.locator(".bubble")).to_contain_text([QUESTION, "And in the Americas?"])
    expect(ann.locator(".answer")).to_have_text(["Three years.", "Four"])
    assert [url for url in asked if not url.endswith("/events")] == asked[:1]
    played.answer("Four years.")
    turns(ann, 2)
    expect(ann.get_by_role("navigation", name="Conversations")).to_contain_text(QUESTION)


def test_an_approval_is_given_to_what_was_shown(ann, stage):
    """The card shows what would be done; a yes makes the turn go on."""
    played = stage.take(stage.asked(ann, "I need a new laptop"))
    played.ask("order_laptop", {"model": "Standard 14", "region": "EMEA"}, "Order a Standard 14 for you")
    card = ann.get_by_role("region", name="Shall I do this?")
    expect(card).to_contain_text("Standard 14")
    seen = len(stage.events)

    card.get_by_role("button", name="Approve").click()

    again = stage.take(stage.next(seen))
    expect(card).to_be_hidden()
    again.answer("It is ordered.")
    turns(ann, 1)


def test_a_denied_action_is_not_done(ann, stage):
    """And the conversation says so."""
    played = stage.take(stage.asked(ann, "I need a new laptop"))
    played.ask("order_laptop", {}, "Order a Standard 14 for you")

    ann.get_by_role("button", name="Deny").click()

    expect(ann.locator(".chip[data-is=failed]")).to_contain_text("Denied: Order a Standard 14")
    expect(ann.get_by_role("region", name="Shall I do this?")).to_be_hidden()


def test_an_answer_is_cancelled(ann, stage):
    """By the button that sends; what waits ends at once."""
    stage.asked(ann, QUESTION)

    ann.get_by_role("button", name="Cancel the answer").click()

    expect(ann.locator(".turn[data-is=cancelled]")).to_contain_text("Cancelled")


def test_feedback_and_a_person(ann, stage, database_rows):
    """What was wrong is asked for; people get the question when one asks for them."""
    stage.take(stage.asked(ann, QUESTION)).answer("Three years.")
    turns(ann, 1)

    ann.get_by_role("button", name="It did not help").click()
    ann.get_by_role("button", name="Outdated").click()
    expect(ann.get_by_text("Thank you.")).to_be_visible()
    ann.get_by_role("button", name="Ask a person").click()
    expect(ann.get_by_text("People will look at it.")).to_be_visible()

    assert database_rows("select rating, reason from request_feedback")[-1] == ("down", "outdated")


def test_text_is_never_markup(ann, stage):
    """Neither a question nor an answer makes elements, and no link runs a script."""
    evil = '<img src=x onerror="document.title=1"><script>document.title=1</script>'
    played = stage.take(stage.asked(ann, evil))
    played.answer(f"{evil}\n\n[a](javascript:alert(1)) [b](data:text/html,x) ![c](https://evil.example/x.png)")
    turns(ann, 1)

    expect(ann.locator(".bubble")).to_contain_text(evil)
    expect(ann.locator(".answer")).to_contain_text(evil)
    assert ann.locator("#turns img, #turns script, .answer a").count() == 0


def test_a_conversation_is_erased(ann, stage):
    """After a question whether that is wanted; the page shows a new one."""
    stage.take(stage.asked(ann, QUESTION)).answer("Three years.")
    turns(ann, 1)
    ann.on("dialog", lambda dialog: dialog.accept())

    ann.get_by_role("button", name=f"Erase “{QUESTION}”").click()

    expect(ann.get_by_role("heading", name="What do you need?")).to_be_visible()
    expect(ann.get_by_text("Your conversations will be here.")).to_be_visible()


def test_a_url_that_is_shown_shortened_stays(ann, stage):
    """Its end is shown, for one to know it by; saved as it is shown, it is what it was."""
    owner = stage.database.row("standing", id=stage.asked(ann, QUESTION))["user_id"]
    kept = {"url": "https://1.1.1.1/services/long-secret"}
    Views(stage.database).put_integration(owner, "teams", {"enabled": True, "rank": None, "config": kept})
    ann.get_by_role("button", name="How I am told").click()
    form = ann.locator("form", has=ann.get_by_role("switch", name="Microsoft Teams"))
    expect(form.get_by_label("url")).to_have_value("https://1.1.1.1/…cret")

    form.get_by_role("button", name="Save").click()

    expect(ann.get_by_text("Saved.")).to_be_visible()
    [row] = Views(stage.database).integrations(owner)
    assert (row["version"], row["config"]) == (2, kept)


def test_how_one_is_told(ann, stage):
    """A channel is turned off, and stays so."""
    ann.get_by_role("button", name="How I am told").click()
    switch = ann.get_by_role("switch", name="E-mail")
    expect(switch).to_be_checked()

    switch.click()
    expect(ann.get_by_text("Saved.")).to_be_visible()
    ann.keyboard.press("Escape")
    ann.get_by_role("button", name="How I am told").click()

    expect(ann.get_by_role("switch", name="E-mail")).not_to_be_checked()
