"""Keys with scopes and limits, services that act for somebody, origins, signed links: who gets through, and how far."""

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devkit.ses_notices import TOPIC, SesNotices
from parley import runtime, serve
from parley.adapters.postgres.api import Keys, Limits
from parley.adapters.postgres.suppressions import Suppressions
from parley.api import settings
from parley.api.notifications import TIMES, Notices
from parley.api.route import Answer, Route
from parley.api.routes import Api
from parley.api.strangers import Strangers
from parley.domain import links
from parley.errors import Misconfigured

KEYS = "/api/v1/keys"
ME = "/api/v1/me"


@pytest.fixture
def served(api, database):
    """Serve the API with other rules; gives a client."""

    def make(limits=None, strangers=None, **rules):
        for name, value in rules.items():
            setattr(api.desk.rules, name, value)
        whole = Api(database, api.desk.store, api.desk.publisher, api.desk.rules, limits=limits, strangers=strangers)
        function = runtime.http_function("request-api", config=type(None), build=lambda _: whole)
        function._handler = whole
        return serve.application(function).test_client()

    return make


def test_key_is_made_shown_once_used_and_revoked(ann, caller, client):
    """It opens what its maker may; a list shows its prefix and last use, never the key."""
    made = ann("POST", KEYS, {"name": "laptop", "expires_days": 30})
    key = made.get_json()["key"]
    mine = type(ann)(client, key)
    used = mine.get(ME)
    listed = ann.get(KEYS).get_json()["items"]

    assert (made.status_code, used.status_code) == (201, 200)
    assert used.get_json()["user_id"] == ann.get(ME).get_json()["user_id"]
    [shown] = [one for one in listed if one["name"] == "laptop"]
    assert shown["last_used_at"]
    assert shown["expires_at"]
    assert key.split("_", 2)[2] not in str(listed)
    assert ann("DELETE", f"{KEYS}/{shown['prefix']}").status_code == 204
    assert mine.get(ME).status_code == 401
    assert ann("DELETE", f"{KEYS}/{shown['prefix']}").status_code == 404


@pytest.mark.parametrize(
    ("scopes", "path", "status"),
    [
        (["requests:read"], "/api/v1/requests", 200), (["requests:read"], "/api/v1/sessions", 403),
        (["requests:read"], KEYS, 403), (["sessions:read"], "/api/v1/sessions", 200), (["requests:write"], ME, 200),
    ],
)  # fmt: skip
def test_key_is_limited_to_its_scopes(ann, client, scopes, path, status):
    key = ann("POST", KEYS, {"name": "narrow", "scopes": scopes}).get_json()["key"]

    got = type(ann)(client, key).get(path)

    assert got.status_code == status


def test_key_makes_none_that_may_more(ann, caller, client, problem):
    """Neither another role, nor a scope that it lacks, nor a key for somebody else; an admin may all of it."""
    for body in ({"role": "admin"}, {"role": "service"}, {"email": "bob@example.org"}):
        problem(ann("POST", KEYS, {"name": "more", **body}), "forbidden", 403)
    narrow = ann("POST", KEYS, {"name": "narrow", "scopes": ["keys", "data"]}).get_json()["key"]
    holder = type(ann)(client, narrow)
    problem(holder("POST", KEYS, {"name": "more", "scopes": ["requests:read"]}), "forbidden", 403)
    inherited = holder("POST", KEYS, {"name": "same"}).get_json()
    admin = caller("root@example.org", role="admin")
    given = admin("POST", KEYS, {"name": "bot", "role": "service", "email": "bot@example.org"})

    assert inherited["scopes"] == ["data", "keys"]
    assert (given.status_code, given.get_json()["role"], given.get_json()["email"]) == (
        201,
        "service",
        "bot@example.org",
    )
    assert len(admin.get(KEYS).get_json()["items"]) == 5


def test_service_acts_for_a_named_user(ann, caller, problem):
    """On every route it is that user, by their address; nobody else may, and it makes no keys for them."""
    service = caller("bot@example.org", role="service")
    asked = ann.ask().get_json()

    seen = service.get(asked["links"]["status"], Parley_User="Ann@Example.org")
    me = service.get(ME, Parley_User="ann@example.org").get_json()
    own = service.get(asked["links"]["status"])

    assert seen.status_code == 200
    assert (me["email"], me["acting_for"], me["role"]) == ("ann@example.org", True, "service")
    problem(own, "not-found", 404)
    problem(ann.get(ME, Parley_User="bob@example.org"), "forbidden", 403)
    problem(service("POST", KEYS, {"name": "x"}, Parley_User="ann@example.org"), "forbidden", 403)
    problem(service.get(ME, Parley_User="nobody"), "bad-request", 400)


def test_service_erases_nobody_unless_its_key_says_so(ann, caller, client, database):
    """Acting for somebody is asking for them; what cannot be undone needs a key that names it."""
    bot = caller("bot@example.org", role="service")
    named = Keys(database).create(email="bot@example.org", role="service", name="x", scopes=["data", "requests:read"])
    for_ann = {"Parley_User": "ann@example.org"}

    refused = [bot(method, path, **for_ann).status_code for method, path in
               (("DELETE", "/api/v1/users/me/data"), ("GET", "/api/v1/users/me/export"), ("GET", KEYS))]  # fmt: skip
    allowed = type(ann)(client, named).get("/api/v1/users/me/export", **for_ann)

    assert refused == [403, 403, 403]
    assert (allowed.status_code, allowed.get_json()["user"]["email"]) == (200, "ann@example.org")


@pytest.mark.parametrize("path", [f"{KEYS}/%00", f"{KEYS}/a%00bcdefg", f"{KEYS}/ääääääää", f"{KEYS}/a"])
def test_prefix_that_is_none_is_not_found(ann, problem, path):
    problem(ann("DELETE", path), "not-found", 404)


@pytest.mark.parametrize("query", ["type=%00", "type=a%00b", "all=perhaps", "type=" + "x" * 256])
def test_filter_that_is_none_is_refused(caller, problem, query):
    problem(caller(role="admin").get(f"/api/v1/admin/dead-letters?{query}"), "bad-request", 400)


def test_forgotten_check_shows_nothing(api, database, caller, rows):
    """The second wall: a view that looks at whatever it is asked for gives a user what is theirs, and nothing else."""

    def careless(desk, call):
        """Forget to ask whose it is."""
        row = desk.views.request(call.path["request_id"])
        return Answer({"content": row and row["content"]})

    whole = Api(database, api.desk.store, api.desk.publisher, api.desk.rules,
                routes=[Route("GET", "/careless/{request_id}", careless, {200: "Me"}, tag="x")])  # fmt: skip
    function = runtime.http_function("request-api", config=type(None), build=lambda _: whole)
    function._handler = whole
    client = serve.application(function).test_client()
    ann, bob = (caller(email) for email in ("ann@example.org", "bob@example.org"))
    asked = ann.ask("a private question").get_json()["request_id"]

    got = [type(one)(client, one.key).get(f"/careless/{asked}").get_json() for one in (ann, bob)]

    assert got == [{"content": "a private question"}, {"content": None}]


def test_caller_is_told_what_is_left_and_when_to_come_back(served, database, caller, problem):
    """A bucket for each caller: the fields of the IETF draft, then 429 with Retry-After, and nothing for others."""
    client = served(Limits(database, per_minute=60, burst=3))
    ann, bob = (type(one)(client, one.key) for one in (caller(), caller("bob@example.org")))

    got = [ann.get(ME) for _ in range(4)]

    assert [one.status_code for one in got] == [200, 200, 200, 429]
    assert got[0].headers["RateLimit-Policy"] == '"calls";q=3;w=3'
    assert [one.headers["RateLimit"].split(";")[1] for one in got] == ["r=2", "r=1", "r=0", "r=0"]
    assert problem(got[3], "rate-limited", 429)
    assert 1 <= int(got[3].headers["Retry-After"]) <= 2
    assert bob.get(ME).status_code == 200


def test_whom_a_service_names_is_met_within_its_limit(served, database, caller, rows):
    """And when the key may do it at all: otherwise a loop, or a key that may nothing, would fill the table of users."""
    client = served(Limits(database, per_minute=60, burst=1))
    bot = type(caller())(client, caller("bot@example.org", role="service").key)

    got = [bot.get(path, Parley_User=f"{n}@example.org").status_code for n, path in enumerate([KEYS, ME])]

    assert got == [403, 429]
    assert rows("select email from users where email in ('0@example.org', '1@example.org')") == []


FROM = {"X_Forwarded_For": "203.0.113.9, 10.1.2.3"}
AT = {"X-Forwarded-For": "203.0.113.9, 10.1.2.3"}


@pytest.fixture
def guarded(served):
    """The API behind proxies of 10.0.0.0/8, which lets strangers call twice at once; `now` is its clock."""
    now = [0.0]
    client = served(strangers=Strangers(["10.0.0.0/8"], per_minute=60, burst=2, clock=lambda: now[0]))
    client.now = now
    return client


def test_whom_nobody_knows_is_limited_by_address(guarded, caller, problem):
    """On routes without a key, and with one that opens nothing; who has a key is not held up by them."""
    stranger, ann = type(caller())(guarded, "pk_wrong"), type(caller())(guarded, caller().key)

    got = [stranger.get(path, **FROM) for path in ("/openapi.json", ME, ME, "/openapi.json")]

    assert [one.status_code for one in got] == [200, 401, 429, 429]
    assert [one.headers["RateLimit"].split(";")[1] for one in got] == ["r=1", "r=0", "r=0", "r=0"]
    problem(got[2], "rate-limited", 429)
    assert (ann.get(ME, **FROM).status_code, ann.get("/openapi.json", **FROM).status_code) == (200, 429)
    guarded.now[0] += 1
    assert stranger.get(ME, **FROM).status_code == 401


def test_the_page_itself_counts_as_any_other(guarded):
    """At `/`, which is nobody's route, too."""
    got = [guarded.get("/", headers=AT) for _ in range(3)]

    assert [one.status_code for one in got] == [200, 200, 429]
    assert got[2].headers["Content-Type"] == "application/problem+json"


def test_notices_have_a_wide_limit_of_their_own(served, database, api):
    """Too many are to come again later, by the word that SNS understands; and calls do not stand in their way."""
    amazon = SesNotices()
    strangers = Strangers(["10.0.0.0/8"], per_minute=60, burst=2, clock=lambda: 0.0)
    client = served(strangers=strangers, notices=Notices(Suppressions(database), amazon.fetch, [TOPIC]))
    notice = amazon.bounce("ann@example.org")
    while client.get("/openapi.json", headers=AT).status_code == 200:
        pass

    got = [client.post("/notifications/ses", data=notice, headers=AT).status_code for _ in range(2 * TIMES + 1)]

    assert got == [204] * 2 * TIMES + [503]


def test_notice_of_a_mail_with_long_headers_is_taken(served, database):
    """As large as SNS sends them, and no larger."""
    amazon = SesNotices()
    client = served(notices=Notices(Suppressions(database), amazon.fetch, [TOPIC]))
    long = amazon.notice({"eventType": "Delivery", "mail": {"messageId": "m-1", "headers": ["x" * (100 << 10)]}})

    got = [client.post("/notifications/ses", data=body).status_code for body in (long, b"x" * (300 << 10))]

    assert got == [204, 413]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.9", "203.0.113.10", False), ("203.0.113.9, 10.1.2.3, 10.1.2.4", "203.0.113.9, 10.1.2.5", True),
        ("1.1.1.1, 203.0.113.9", "2.2.2.2, 203.0.113.9", True), ("2001:db8::1", "2001:db8::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False), ("", "nonsense", True),
    ],
)  # fmt: skip
def test_an_address_is_the_nearest_that_is_no_proxy(guarded, one, other, same):
    """What stands before it in the header anybody may have written there."""
    for _ in range(2):
        guarded.get("/openapi.json", headers={"X-Forwarded-For": one})

    got = guarded.get("/openapi.json", headers={"X-Forwarded-For": other})

    assert got.status_code == (429 if same else 200)


def test_without_a_proxy_that_is_trusted_nobody_is_taken_for_another(served):
    """The address would be the proxy's: everybody would have one bucket."""
    client = served(strangers=Strangers([], per_minute=60, burst=1))

    assert [client.get("/openapi.json").status_code for _ in range(3)] == [200] * 3


def test_bucket_fills_with_time(served, database, caller, rows):
    """By the database's clock, and not above its size."""
    client = served(Limits(database, per_minute=60, burst=2))
    ann = type(caller())(client, caller().key)
    while ann.get(ME).status_code == 200:
        pass

    rows("update rate_limits set taken_at = taken_at - interval '1 hour'")

    assert [ann.get(ME).status_code for _ in range(3)] == [200, 200, 429]


def test_other_origins_are_closed(ann, client):
    """By itself no page of another origin may read an answer, and a preflight is refused."""
    preflight = client.options("/api/v1/requests", headers={"Origin": "https://portal.example"})
    got = ann.get(ME, Origin="https://portal.example")

    assert preflight.status_code == 405
    assert not [name for name in got.headers.keys() if name.startswith("Access-Control")]  # noqa: SIM118 - of werkzeug


def test_configured_origin_is_let_in(served, caller):
    """It alone, never with a cookie, with the headers that a client needs."""
    client = served(origins=("https://portal.example",))
    ann = type(caller())(client, caller().key)

    preflight = client.options("/api/v1/requests", headers={"Origin": "https://portal.example"})
    stranger = client.options("/api/v1/requests", headers={"Origin": "https://evil.example"})
    got, other = ann.get(ME, Origin="https://portal.example"), ann.get(ME, Origin="https://evil.example")

    assert (preflight.status_code, stranger.status_code) == (204, 405)
    assert "Idempotency-Key" in preflight.headers["Access-Control-Allow-Headers"]
    assert got.headers["Access-Control-Allow-Origin"] == "https://portal.example"
    assert "Location" in got.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Origin" not in other.headers
    assert "Access-Control-Allow-Credentials" not in got.headers
    assert "Origin" in other.headers["Vary"]


SETTINGS = {
    "database_url": "postgresql://127.0.0.1:9/none", "k_sink": "http://127.0.0.1:9", "webhook_signing_key": "k" * 32,
    "config_dir": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "variable"),
    [
        ({"cors_origins": ("*",)}, "CORS_ORIGINS"),
        ({"cors_origins": ("https://portal.example/path",)}, "CORS_ORIGINS"),
        ({"cors_origins": ("portal.example",)}, "CORS_ORIGINS"),
        ({"oidc_issuer": "https://login.example"}, "OIDC_AUDIENCE"),
        ({"oidc_issuer": "http://login.example", "oidc_audience": ("parley",)}, "OIDC_ISSUER"),
        ({"oidc_audience": ("parley",)}, "OIDC_ISSUER"),
        (
            {"oidc_issuer": "https://l.example", "oidc_audience": ("p",), "oidc_algorithms": ("none",)},
            "OIDC_ALGORITHMS",
        ),
        (
            {"oidc_issuer": "https://l.example", "oidc_audience": ("p",), "oidc_algorithms": ("HS256",)},
            "OIDC_ALGORITHMS",
        ),
        ({"threads": 3}, "THREADS"),
        ({"trusted_proxies": ("10.0.0.1/8",)}, "TRUSTED_PROXIES"),
    ],
)
def test_it_does_not_start_open(wrong, variable):
    """What would let in more than it should is one line that names the variable."""
    with pytest.raises(Misconfigured, match=variable):
        settings.build(settings.Settings(**{**SETTINGS, "config_dir": Path("config"), **wrong}))


def test_link_shows_one_answer_to_whoever_has_it(ann, client, answer, caller):
    """Escaped, under a strict policy, for nobody's cache and index; only the owner makes one."""
    asked = ann.ask().get_json()
    answer(asked["request_id"], "<script>alert(1)</script> & four years")
    made = ann("POST", f"/api/v1/requests/{asked['request_id']}/link")

    shown = client.get(made.get_json()["url"])
    text = shown.get_data(as_text=True)

    assert (made.status_code, shown.status_code) == (201, 200)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; four years" in text
    assert "<script" not in text
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    assert (shown.headers["Referrer-Policy"], shown.headers["X-Robots-Tag"]) == ("no-referrer", "noindex")
    assert shown.headers["Cache-Control"] == "no-store"
    bob = caller("bob@example.org")
    assert bob("POST", f"/api/v1/requests/{asked['request_id']}/link").status_code == 404


def test_link_that_is_not_ours_or_too_old_is_none():
    """Signed, for one request, until its end; a bit more or less is nothing."""
    request_id, until = uuid.uuid4(), datetime(2026, 11, 30, tzinfo=UTC)
    token = links.path("key", request_id, until).removeprefix("/r/")

    assert links.read("key", token, until - timedelta(seconds=1)) == request_id
    assert links.read("key", token, until + timedelta(seconds=1)) is None
    assert links.read("other key", token, until - timedelta(seconds=1)) is None
    for place in range(0, len(token), 5):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert links.read("key", changed, until - timedelta(seconds=1)) is None
    for wrong in ("", "x", "é", "=" * 50, token + "AAAA", token[:-4]):
        assert links.read("key", wrong, until - timedelta(seconds=1)) is None


def test_keys_of_the_command_line_have_scopes_too(database, client, ann):
    """Made without any, a key may all that its role may."""
    key = Keys(database).create(email="ann@example.org", role="user", name="x", scopes=["data"])

    assert type(ann)(client, key).get("/api/v1/requests").status_code == 403
