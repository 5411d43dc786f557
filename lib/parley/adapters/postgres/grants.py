"""
What each function may do with which table: the declaration that `roles` makes true, and nothing else is.

A new query or table is allowed here to the functions whose work it is.
"""

from collections.abc import Mapping
from typing import LiteralString

Grants = Mapping[str, LiteralString]  # table: privileges, as GRANT takes them

# Whoever locks a row must be allowed to update some column of it: its id, which what refers to it holds fast.
_LOCKS: LiteralString = "select (id), update (id)"

_SENDS: Grants = {
    "sessions": _LOCKS,
    "requests": "select (id, session_id, user_id, seq, content, result, error, traceparent, created_at, finished_at)",
    "deliveries": "select, update",
    "delivery_attempts": "select, insert, update",
    "actions": "select",
    "user_integrations": "select",
    "endpoints": "select",
    "circuits": "select, insert, update, delete",
}
# Whose address failed for good is told elsewhere, by a plan of that person's own.
_TELLS: Grants = {
    "deliveries": "select, insert, update",
    "endpoints": "select, insert, update",
    "users": "select (id, email, timezone, quiet_from, quiet_until)",
    "user_identities": "select (user_id, kind, value, created_at)",
    "suppressions": "select (kind, address, reason)",
}
_SUPPRESSES: Grants = {"suppressions": "select, insert, update"}
_SLACK: Grants = {"slack_installations": "select, insert, update"}  # a token that is refreshed is written back
_STANDS_IN: Grants = {
    "heartbeats": "select, insert, update",
    "requests": "select, update",
    "deliveries": "select, insert, update",
    "delivery_attempts": "select",
    "actions": "select, update",
    "circuits": "select",
    "endpoints": "select",
    "user_integrations": "select",
    "sessions": "select, update",
}
# Ends a question that was given up, and tells its person.
_ENDS: Grants = {
    "requests": "select, update",
    "request_events": "insert",
    "messages": "select, insert",
    "actions": "select, insert, update",
    "steps": "select, insert, update",
    "deliveries": "select, insert, update",
    "delivery_attempts": "select",
    "escalations": "select, insert, update",
    "sessions": "select, update",
    "users": "select",
    "user_identities": "select",
    "user_integrations": "select",
    "endpoints": "select",
    "suppressions": "select",
}
_ACCEPTS: Grants = {
    "users": "select, insert, update",
    "user_identities": "select, insert",
    "sessions": "select, insert, update",
    "requests": "select, insert, update",
    "request_events": "select, insert",
    "request_feedback": "select, insert, update",
    "idempotency_keys": "select, insert, update",
}


def _together(*parts: Grants) -> dict[str, LiteralString]:
    """Later parts say the whole of what may be done with a table."""
    return {table: privileges for part in parts for table, privileges in part.items()}


GRANTS: Mapping[str, Grants] = {
    "slack-ingest": _SLACK,
    "request-api": _together(
        _ENDS,
        _STANDS_IN,
        _ACCEPTS,
        _SLACK,
        {
            "sessions": "select, insert, update, delete",
            "user_identities": "select, insert, update (role), delete",
            "user_integrations": "select, insert, update, delete",
            "endpoints": "select, insert, update",
            "circuits": "select, insert, update, delete",
            "api_keys": "select, insert, update, delete",
            "audit_log": "select, insert",
            "rate_limits": "select, insert, update, delete",
            "dead_letters": "select, update, delete",
            "slack_installations": "select, insert, update, delete",
            # A person's data is erased here.
            "actions": "select, insert, update, delete",
            "delivery_attempts": "select, update",
            "escalations": "select, insert, update, delete",
            "idempotency_keys": "select, insert, update, delete",
            "messages": "select, insert, delete",
            "request_events": "select, insert, delete",
            "request_feedback": "select, insert, update, delete",
            "slack_messages": "select, delete",
            "spool": "select, delete",
            "steps": "select, insert, update, delete",
            "suppressions": "select, insert, update, delete",
            "token_usage": "select, delete",
            "desk_employees": "select, delete",
            "desk_laptops": "select",
            "desk_tickets": "select",
        },
    ),
    "normalize": _together(
        _ENDS,
        _ACCEPTS,
        {"user_integrations": "select, insert, update", "slack_installations": "select, insert, update, delete"},
    ),
    "agent-turn": _together(
        _STANDS_IN,
        _ENDS,
        _SLACK,  # files that came with a message
        {
            "token_usage": "select, insert, update",
            "users": "select, update (id)",  # locked while tokens are reserved
            "knowledge_bases": "select",
            "knowledge_models": "select",
            "knowledge_documents": "select",
            "knowledge_chunks": "select",
            "knowledge_words": "select",
        },
    ),
    "deliver-slack": _together(
        _SENDS,
        _SLACK,
        {
            "slack_messages": "select, insert, update, delete",
            "paces": "select, insert, update",
            # Who stops an answer while it is written cancels its request.
            "sessions": "select, update (id)",
            "requests": "select, update (state, error, result, cancel_requested, events, due_at, finished_at, version,"
            " titled, updated_at)",
            "request_events": "select, insert",
            "messages": "insert",
            "actions": "select, update",
            "user_identities": "select (user_id, kind, value)",
        },
    ),
    "deliver-email": _together(_SENDS, _SUPPRESSES),
    "deliver-sms": _together(_SENDS, _SUPPRESSES),
    "deliver-webhook": _together(_SENDS, _TELLS),
    "deliver-teams": _together(_SENDS, _TELLS),
    "deliver-test": _SENDS,
    "recover": _together(
        _STANDS_IN,
        _ENDS,
        _SLACK,
        {
            "dead_letters": "select, insert, update, delete",
            "requests": "select, update, delete",
            "sessions": "select, update, delete",
            "idempotency_keys": "select, update (key), delete",
            "api_keys": "select (id, kind, revoked_at, expires_at), update (id), delete",
            "audit_log": "select (id, created_at), update (id), delete",
            "rate_limits": "select, update, delete",
            "paces": "select, update, delete",
            "token_usage": "select (day, input_tokens, output_tokens, cost)",  # how much all have spent, not who
        },
    ),
    "mcp-service-desk": {
        "desk_employees": "select",
        "desk_laptops": "select",
        "desk_tickets": "select, insert, update",
        "desk_effects": "select, insert",
    },
}
