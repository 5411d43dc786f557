"""For everybody: by keyboard alone, on a phone, in the dark, to who listens; at a provider of one's own company."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser.stage import turns
from databases import as_role, fresh
from playwright.sync_api import expect
from processes import FUNCTIONS, FunctionProcess

from devkit.oidc import OpenIdProvider

TEXT = """Laptops are replaced by **age** [1]:

| Region | Months |
|---|--:|
| EMEA | 36 |

1. Ask for one
2. `wait`

> as ever
"""


def faults(page):
    """What axe finds wrong."""
    found = Axe().run(page).response["violations"]
    return {one["id"]: [node["html"] for node in one["nodes"]] for one in found}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_out_of_reach(ann, stage, scheme):
    """Axe finds nothing: names, roles, contrast, order; in the chat with an answer and an approval, and the dialog."""
    ann.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    stage.take(stage.asked(ann, "How old must my laptop be?")).answer(TEXT)
    turns(ann, 1)
    stage.take(stage.asked(ann, "I need one")).ask("order_laptop", {"model": "14"}, "Order a Standard 14 for you")
    expect(ann.get_by_role("button", name="Approve")).to_be_visible()

    assert faults(ann) == {}

    ann.get_by_role("button", name="How I am told").click()
    expect(ann.get_by_role("switch").first).to_be_visible()
    assert faults(ann) == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_out_of_reach_in_the_console(page, stage, scheme):
    """Each view, and the page to sign in on."""
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto("/sign-in")
    expect(page.get_by_label("API key")).to_be_visible()
    assert faults(page) == {}
    stage.sign_in(page, "admin")
    request_id = stage.asked(page, "How old must my laptop be?")
    stage.take(request_id).answer("Three years.", ranks=("email",))
    stage.letter()

    owner = stage.database.row("standing", id=request_id)["user_id"]
    for view in ("overview", "requests", "stuck", "letters", "circuits", f"person/{owner}", f"timeline/{request_id}"):
        page.goto(f"/console#{view}")
        expect(page.locator("#view h1")).to_be_visible()
        expect(page.locator("#view table tbody tr, #view svg").first).to_be_visible()
        assert (view, faults(page)) == (view, {})


def test_by_keyboard_alone(page, stage):
    """Sign in, ask, approve, say that it helped: no pointer; and focus is always somewhere that is seen."""
    page.goto("/sign-in")
    page.keyboard.press("Tab")
    page.keyboard.insert_text(stage.key())
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your question")).to_be_focused()

    seen = len(stage.events)
    page.keyboard.insert_text("I need a new laptop")
    page.keyboard.press("Enter")
    stage.take(stage.next(seen)).ask("order_laptop", {}, "Order a Standard 14 for you")
    expect(page.get_by_role("button", name="Approve")).to_be_visible()
    seen = len(stage.events)
    while not page.get_by_role("button", name="Approve").evaluate("(it) => it === document.activeElement"):
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    stage.take(stage.next(seen)).answer("It is ordered.")
    turns(page, 1)

    helped = page.get_by_role("button", name="It helped")
    while not helped.evaluate("(it) => it === document.activeElement"):
        page.keyboard.press("Tab")
    assert helped.evaluate("(it) => getComputedStyle(it).outlineStyle") == "solid"
    page.keyboard.press("Space")
    expect(page.get_by_text("Thank you.")).to_be_visible()


def test_on_a_phone(ann, stage):
    """Nothing is wider than the screen; conversations come and go by a button that says so."""
    ann.set_viewport_size({"width": 360, "height": 740})
    stage.take(stage.asked(ann, "How old must my laptop be?")).answer(TEXT + "\n`" + "x" * 200 + "`")
    turns(ann, 1)

    assert ann.evaluate("document.documentElement.scrollWidth") <= 360
    menu = ann.get_by_role("button", name="Conversations")
    expect(ann.get_by_role("button", name="New conversation")).to_be_hidden()
    menu.click()
    expect(ann.get_by_role("button", name="New conversation")).to_be_visible()
    ann.keyboard.press("Escape")
    expect(menu).to_be_focused()
    expect(ann.get_by_role("button", name="New conversation")).to_be_hidden()


def test_at_the_provider_of_ones_company(page, stage, postgres_server, database_template, tmp_path):
    """There and back by a click, signed in with the role that the provider says."""
    with OpenIdProvider() as provider, fresh(postgres_server, database_template) as url:
        provider.claims = {"roles": ["parley-admin"], "email": "ann@example.org", "email_verified": True, "name": "Ann"}
        settings = {
            "DATABASE_URL": as_role(url, "request-api"), "K_SINK": "http://127.0.0.1:9",
            "WEBHOOK_SIGNING_KEY": "a signing key", "THREADS": "8",
            "CONFIG_DIR": str(FUNCTIONS.parent / "config"), "OIDC_ISSUER": provider.issuer, "OIDC_AUDIENCE": "parley",
            "OIDC_CLIENT_ID": "page", "PUBLIC_URL": "$URL",
        }  # fmt: skip
        with FunctionProcess(FUNCTIONS / "request-api", tmp_path / "log", **settings) as process:
            page.goto(f"{process.url}/sign-in?then=/console")
            page.get_by_role("link", name="Sign in with your company account").click()

            page.wait_for_url(f"{process.url}/console")
            expect(page.locator("#me")).to_have_text("ann@example.org · admin")
            page.close()  # before the server that it asks
