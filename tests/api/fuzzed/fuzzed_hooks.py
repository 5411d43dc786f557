"""What schemathesis is told beyond the description: an Idempotency-Key belongs to one body."""

import uuid

import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    """Use each valid key once: the same key with another body is a 422, and has tests of its own."""
    key = (case.headers or {}).get("Idempotency-Key")
    if key and case.meta is not None and case.meta.generation.mode.is_positive:
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
