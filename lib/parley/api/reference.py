"""The description of the API as one page for people: made from openapi.json, without a script and without a CDN."""

import html
import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"


@lru_cache(maxsize=1)
def page(description: bytes) -> str:
    """Give the page."""
    document = json.loads(description)
    tags: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tags.setdefault(operation["tags"][0], []).append(_operation(method, path, operation))
    models = "".join(_model(name, schema) for name, schema in document["components"]["schemas"].items())
    parts = "".join(f'<h2 id="{tag}">{tag}</h2>{"".join(shown)}' for tag, shown in tags.items())
    menu = " ".join(f'<a href="#{tag}">{tag}</a>' for tag in [*tags, "models"])
    about = _text(document["info"]["description"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Parley: the API</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style>'
        f"<header><h1>Parley: the API</h1><p>{about}</p><nav>{menu}</nav></header><main>{parts}"
        f'<h2 id="models">models</h2>{models}</main></html>'
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    lines = [f"<p>{_text(operation['description'])}</p>"]
    if roles := operation.get("x-roles"):
        scope = f", scope <code>{operation['x-scope']}</code>" if operation["x-scope"] else ""
        lines.append(f"<p class=who>{', '.join(roles)}{scope}</p>")
    if operation["parameters"]:
        lines.append(f"<table>{''.join(_parameter(one) for one in operation['parameters'])}</table>")
    if body := operation.get("requestBody"):
        lines.append(f"<p>body: {_reference(body['content']['application/json']['schema'])}</p>")
    answers = "".join(_answer(status, one) for status, one in operation["responses"].items() if "$ref" not in one)
    problems = ", ".join(f"<code>{status}</code>" for status, one in operation["responses"].items() if "$ref" in one)
    return (
        f'<details id="{operation["operationId"]}"><summary><b class={method}>{method.upper()}</b> '
        f"<code>{html.escape(path)}</code> {_text(operation['summary'])}</summary>{''.join(lines)}"
        f"<table>{answers}<tr><td colspan=3>problems: {problems}</table></details>"
    )


def _parameter(one: dict[str, Any]) -> str:
    needed = "required" if one["required"] else ""
    said, name = _text(one.get("description", "")), html.escape(one["name"])
    return f"<tr><td><code>{name}</code><td>{one['in']}<td>{_kind(one['schema'])}<td>{needed}<td>{said}"


def _answer(status: str, one: dict[str, Any]) -> str:
    shown = [_reference(content.get("schema", {})) or kind for kind, content in one.get("content", {}).items()]
    return f"<tr><td><code>{status}</code><td>{', '.join(shown)}<td>{_text(one['description'])}"


def _model(name: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", [])
    rows = "".join(
        f"<tr><td><code>{html.escape(field)}</code><td>{_kind(one)}<td>{'required' if field in required else ''}"
        f"<td>{_text(one.get('description', ''))}"
        for field, one in schema.get("properties", {}).items()
    )
    about = _text(schema.get("description", ""))
    return f'<details id="model-{name}"><summary><code>{name}</code> {about}</summary><table>{rows}</table></details>'


def _kind(schema: dict[str, Any]) -> str:
    if shown := _reference(schema):
        return shown
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return " | ".join(f"<code>{html.escape(str(one))}</code>" for one in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    limits = ", ".join(f"{name} {schema[name]}" for name in _LIMITS if name in schema)
    named = html.escape(str(schema.get("format") or schema.get("type") or "anything"))
    return f"{named} <small>{limits}</small>" if limits else named


_LIMITS = ("minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "maxProperties")


def _reference(schema: dict[str, Any]) -> str:
    name = schema.get("$ref", "").rpartition("/")[2]
    return f'<a href="#model-{name}">{name}</a>' if name else ""


def _text(text: str) -> str:
    return "".join(_pieces(text))


def _pieces(text: str) -> Iterator[str]:
    """What stands between backticks is code."""
    for number, piece in enumerate(text.split("`")):
        yield f"<code>{html.escape(piece)}</code>" if number % 2 else html.escape(piece)


_STYLE = (
    "body{font:15px/1.55 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;"
    "background:#fff}nav a{margin-right:.8em}h2{margin-top:2rem}details{border-top:1px solid #8884;padding:.35rem 0}"
    "summary{cursor:pointer}summary b{display:inline-block;width:4.5em;font-size:.8em}.get{color:#0a6}.post{color:#06c}"
    ".delete{color:#b30}.put,.patch{color:#a60}code{font:.92em ui-monospace,monospace}table{border-collapse:collapse;"
    "margin:.5rem 0}td{padding:.1rem .8rem .1rem 0;vertical-align:top}.who,small{color:#777}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#16181b}a{color:#8bf}}"
)
