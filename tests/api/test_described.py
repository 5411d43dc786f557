"""The description of the API: made from what is served, true, current, and readable."""

import re

import pytest

from parley.api import openapi, reference
from parley.api.about import DESCRIPTION
from parley.api.problems import TITLES
from parley.api.routes import ROUTES

OIDC = {"/sign-in/oidc", "/sign-in/callback"}
PAGE = {"/chat", "/console", "/sign-in", "/page/{digest}/{file}", "/api/v1/session", *OIDC}
OUTSIDE = {"/", "/health/liveness", "/health/readiness", "/static/<path:filename>"}  # parliament's own


@pytest.fixture(scope="module")
def document():
    return openapi.document()


def test_checked_in_description_is_current():
    """`make openapi` writes it anew."""
    assert DESCRIPTION.read_text(encoding="utf-8") == openapi.text()


def served(client):
    """Method and path of everything that Flask routes."""
    rules = [rule for rule in client.application.url_map.iter_rules() if rule.rule not in OUTSIDE]
    return {
        (method, re.sub(r"<(?:[a-z]+(?:\([^)]*\))?:)?([a-z_]+)>", r"{\1}", rule.rule))
        for rule in rules
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }


def test_served_is_described_and_described_is_served(client, document):
    """The same set, both ways."""
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}

    assert served(client) == described


def test_every_operation_has_a_name_and_a_sentence(document):
    """Unique names, for generated clients; a summary and a description for people."""
    found = [one for methods in document["paths"].values() for one in methods.values()]

    names = [one["operationId"] for one in found]
    assert len(names) == len(set(names))
    assert all(one["summary"] and one["description"] for one in found)


def test_every_reference_leads_somewhere(document):
    """No `$ref` to what is not there."""
    text = str(document)
    for kind, name in set(re.findall(r"#/components/([a-z]+)/([A-Za-z0-9_-]+)", text)):
        assert name in document["components"][kind], f"{kind}/{name}"


def test_every_problem_that_a_route_names_is_one():
    assert {kind for route in ROUTES for kind in route.all_problems} <= set(TITLES)


def test_every_answer_that_a_route_names_is_a_model():
    names = {name for route in ROUTES for name in route.answers.values() if name and "/" not in name}

    assert all(openapi.model(name).__name__ == name for name in names)


def test_only_public_routes_ask_for_nothing(document):
    """Whoever adds a door without a lock says so here."""
    public = {path for path, methods in document["paths"].items() for one in methods.values() if not one["security"]}

    assert public == {
        "/openapi.json",
        "/api/v1/reference",
        "/r/{token}",
        "/slack/install",
        "/slack/oauth_redirect",
        *PAGE,
    }


def test_description_is_served(client):
    """To everybody, also to a page of another origin: it holds no secret."""
    got = client.get("/openapi.json")

    assert got.status_code == 200
    assert got.get_json()["openapi"] == "3.1.0"
    assert got.headers["Access-Control-Allow-Origin"] == "*"
    assert "private" not in got.headers["Cache-Control"]


def test_page_for_people_is_whole_and_small(client, document):
    """Every operation and every model, no script, nothing from elsewhere, under a policy that would refuse both."""
    got = client.get("/api/v1/reference")
    page = got.get_data(as_text=True)

    for path in document["paths"]:
        assert f"<code>{path}</code>" in page
    for name in document["components"]["schemas"]:
        assert f'id="model-{name}"' in page
    assert not re.search(r"<script|<link|https?://|url\(", page)
    assert got.headers["Content-Security-Policy"] == reference.POLICY
    assert len(page) < 128 << 10
