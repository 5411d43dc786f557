"""What a service key may not become, and whom it may not act for."""

import pytest

from parley.adapters.postgres.users import Users
from parley.domain.keys import NAMED

KEYS = "/api/v1/keys"


@pytest.fixture
def service(caller):
    """A service with a key that names no scope."""
    return caller("bot@example.org", role="service")


@pytest.mark.parametrize("scope", sorted(NAMED))
def test_service_does_not_name_itself_what_it_has_only_by_name(service, scope):
    """What an administrator has not given, a key does not give itself: neither alone nor among others."""
    for scopes in ([scope], [scope, "requests:read"]):
        assert service("POST", KEYS, {"name": "x", "scopes": scopes}).status_code == 403
    assert service("POST", KEYS, {"name": "x", "scopes": ["requests:read"]}).status_code == 201


def test_administrator_names_it(caller):
    """And then it may."""
    admin = caller("root@example.org", role="admin")
    wanted = {"name": "x", "email": "bot@example.org", "role": "service", "scopes": sorted(NAMED)}

    assert admin("POST", KEYS, wanted).status_code == 201


@pytest.mark.parametrize("role", ["admin", "support"])
@pytest.mark.parametrize("path", ["/api/v1/me", "/api/v1/requests", "/api/v1/users/me/export", "/api/v1/sessions"])
def test_nobody_acts_for_staff(caller, service, role, path):
    """Their questions and their rights are theirs, whatever a service says."""
    caller("boss@example.org", role=role)

    assert service.get(path, Parley_User="boss@example.org").status_code == 403
    assert (
        service("POST", "/api/v1/requests", {"content": "?", "user": {"email": "boss@example.org"}}).status_code == 403
    )


@pytest.mark.parametrize("role", ["admin", "support"])
def test_nobody_acts_for_staff_by_a_claim_of_the_company_account_either(service, database, role):
    """Until a later token names the role no more."""
    users, path = Users(database), "/api/v1/me"
    first = users.of_token("https://id.example.org|boss", "boss@example.org", "Boss", role)
    assert service.get(path, Parley_User="boss@example.org").status_code == 403

    assert users.of_token("https://id.example.org|boss", "boss@example.org", "Boss", None) == first
    assert service.get(path, Parley_User="boss@example.org").status_code == 200


def test_where_answers_go_is_changed_by_name_only(service, caller, rows):
    """A plain service key redirects nobody's answers; one that may is in the audit log with whom it was for."""
    admin = caller("root@example.org", role="admin")
    named = admin(
        "POST", KEYS, {"name": "x", "email": "bot@example.org", "role": "service", "scopes": ["settings:write"]}
    )
    path, body = "/api/v1/users/me/integrations/email", {"enabled": False}

    assert service("PUT", path, body, Parley_User="ann@example.org").status_code == 403
    service.key = named.get_json()["key"]
    assert service("PUT", path, body, Parley_User="ann@example.org").status_code in (200, 201)

    acts = [row["action"] for row in rows("select action from audit_log")]
    assert "for somebody: PUT /api/v1/users/{user_id}/integrations/{channel}" in acts


TEAMS = "/api/v1/users/me/integrations/teams"
HOOK = "https://hooks.example.com/T1?sig=long-secret"
SHORT = "https://hooks.example.com/…cret"


def test_whole_url_of_a_receiver_is_shown_once(caller, service):
    """Whoever has it can post there: from then on it is shown where it leads, and its end, to its owner, too."""
    ann, admin = caller("ann@example.org"), caller("root@example.org", role="admin")
    wanted = {"name": "x", "email": "bot@example.org", "role": "service", "scopes": ["settings:read", "settings:write"]}
    named = admin("POST", KEYS, wanted).get_json()["key"]
    made, changed = (ann("PUT", TEAMS, {"config": {"url": HOOK}}) for _ in range(2))

    def urls(who, user, **headers):
        """What the list, the setting itself and what is in force say of it."""
        own = f"/api/v1/users/{user}/integrations"
        found = [who.get(own, **headers).get_json()["items"], [who.get(f"{own}/teams", **headers).get_json()]]
        found.append(who.get(f"/api/v1/users/{user}/integration-defaults", **headers).get_json()["items"])
        return [one["config"]["url"] for items in found for one in items if one["channel"] == "teams"]

    user = ann.get("/api/v1/me").get_json()["user_id"]
    assert [(one.status_code, one.get_json()["config"]["url"]) for one in (made, changed)] == [
        (201, HOOK),
        (200, SHORT),
    ]
    assert urls(ann, "me") == urls(admin, user) == urls(caller("sue@example.org", role="support"), user) == [SHORT] * 3
    service.key = named
    assert urls(service, "me", Parley_User="ann@example.org") == [SHORT] * 3


@pytest.mark.parametrize("sent", [SHORT, HOOK])
def test_url_that_comes_back_as_it_was_shown_stays(ann, rows, sent):
    """Whoever reads a setting and stores it again, as the page does, changes nothing of it."""
    ann("PUT", TEAMS, {"config": {"url": HOOK}})

    got = ann("PUT", TEAMS, {"rank": 3, "config": {"url": sent}})

    assert (got.status_code, got.get_json()["rank"], got.get_json()["config"]) == (200, 3, {"url": SHORT})
    assert rows("select config from user_integrations") == [{"config": {"url": HOOK}}]


@pytest.mark.parametrize("sent", ["https://hooks.example.com/…else", "https://other.example.com/…cret"])
def test_url_that_was_never_shown_like_this_is_refused(ann, problem, rows, sent):
    """It would lead nowhere; and one that is none yet has nothing to stand for."""
    problem(ann("PUT", TEAMS, {"config": {"url": SHORT}}), "invalid", 422)
    ann("PUT", TEAMS, {"config": {"url": HOOK}})

    found = problem(ann("PUT", TEAMS, {"config": {"url": sent}}), "invalid", 422)

    assert found["errors"][0]["pointer"] == "/config/url"
    assert rows("select config from user_integrations") == [{"config": {"url": HOOK}}]


def test_short_secret_is_not_shown_by_half(ann):
    """The end of a URL is shown when it is a small part of it."""
    ann("PUT", TEAMS, {"config": {"url": "https://hooks.example.com/T1secret"}})

    assert ann.get(TEAMS).get_json()["config"]["url"] == "https://hooks.example.com/…"


def test_setting_of_a_channel_that_is_gone_is_listed(ann, rows):
    """Without what it held: what of it is a secret is not known any more."""
    ann("PUT", TEAMS, {"config": {"url": HOOK}})
    rows("update user_integrations set channel = 'pigeon'")

    [listed] = ann.get("/api/v1/users/me/integrations").get_json()["items"]

    assert (listed["channel"], listed["config"]) == ("pigeon", {})
