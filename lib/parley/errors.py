"""
What can go wrong, by what the caller can do about it.

    Exception
    ├── Rejected       the event or request is wrong: never again      422
    │   └── Malformed  it is no event or request at all                400
    ├── Unavailable    a dependency is down: the same again later      503
    └── Misconfigured  the process cannot start: a person must act     exit 2

Everything else is a bug (500). The text of these errors is written by us, holds no content and no secret, and may be
logged; it never leaves in a response body.
"""


class Rejected(Exception):
    """The event or request is wrong; sent again it will be wrong again."""

    status = 422


class Malformed(Rejected):
    """The bytes are no valid event or request."""

    status = 400


class Unavailable(Exception):
    """A dependency cannot be reached now; the same event may succeed later."""

    status = 503


class Misconfigured(Exception):
    """A setting is missing or wrong. One line, naming the setting; deliberately outside of what handlers forgive."""
