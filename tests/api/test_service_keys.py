"""What a service key may not become, and whom it may not act for."""

import pytest

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
HOOK = "https://hooks.example.com/T1?sig=secret"


def test_only_who_may_change_a_receiver_sees_its_whole_url(caller, service):
    """Whoever has it can post there: support, and services that act for its owner, see where it leads."""
    ann, admin = caller("ann@example.org"), caller("root@example.org", role="admin")
    support = caller("sue@example.org", role="support")
    wanted = {"name": "x", "email": "bot@example.org", "role": "service", "scopes": ["settings:read", "settings:write"]}
    named = admin("POST", KEYS, wanted).get_json()["key"]
    assert ann("PUT", TEAMS, {"config": {"url": HOOK}}).status_code == 201

    def urls(who, user, **headers):
        """What the list, the setting itself and what is in force say of it."""
        own = f"/api/v1/users/{user}/integrations"
        found = [who.get(own, **headers).get_json()["items"], [who.get(f"{own}/teams", **headers).get_json()]]
        found.append(who.get(f"/api/v1/users/{user}/integration-defaults", **headers).get_json()["items"])
        return [one["config"]["url"] for items in found for one in items if one["channel"] == "teams"]

    user = ann.get("/api/v1/me").get_json()["user_id"]
    assert urls(ann, "me") == urls(admin, user) == [HOOK] * 3
    assert urls(support, user) == ["https://hooks.example.com/…"] * 3
    assert urls(service, "me", Parley_User="ann@example.org") == ["https://hooks.example.com/…"] * 3
    service.key = named
    assert urls(service, "me", Parley_User="ann@example.org") == [HOOK] * 3
