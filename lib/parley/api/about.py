"""What the API says of itself: its description, for programs and for people."""

from functools import cache
from pathlib import Path

from parley.api.desk import Desk
from parley.api.route import Answer, Call, Route

DESCRIPTION = Path(__file__).parent / "openapi.json"


def openapi(_: Desk, __: Call) -> Answer:
    """Describe the API: OpenAPI 3.1."""
    return Answer(_description(), headers={"Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*"})


def page(_: Desk, __: Call) -> Answer:
    """Describe the API for people."""
    from parley.api import reference

    headers = {
        "Cache-Control": "public, max-age=300",
        "Content-Security-Policy": reference.POLICY,
        "X-Content-Type-Options": "nosniff",
    }
    return Answer(reference.page(_description()), headers=headers, media="text/html; charset=utf-8")


@cache
def _description() -> bytes:
    return DESCRIPTION.read_bytes()


ROUTES = (
    Route("GET", "/openapi.json", openapi, {200: "application/json"}, tag="about", roles=None),
    Route("GET", "/api/v1/reference", page, {200: "text/html"}, tag="about", roles=None, name="reference"),
)
