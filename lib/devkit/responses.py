"""
The Responses API in front of a scripted model: what Llama Stack does with one, without Llama Stack.

For runs in which processes are killed by the hundred and a real server would be killed along with them;
`make test-llama-stack` asks through a real one. True to https://platform.openai.com/docs/api-reference/responses as far
as `parley.adapters.llama_stack` uses it: one streamed answer of words or function calls, with its usage.
Left out: what is stored (`store: false` is asked for), and tools that the server calls itself.
"""

import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from devkit.model import Said


def chat(asked: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Give the messages and the tools of a request as a chat completion has them. Raises KeyError, TypeError."""
    system = [{"role": "system", "content": asked["instructions"]}] if asked.get("instructions") else []
    given = asked["input"]
    items = [{"type": "message", "role": "user", "content": given}] if isinstance(given, str) else given
    tools = [{"type": "function", "function": tool} for tool in asked.get("tools") or []]
    return [*system, *map(message, items)], tools


def message(item: Mapping[str, Any]) -> dict[str, Any]:
    """Give an item of the Responses API as a message of a chat."""
    match item.get("type", "message"):
        case "function_call":
            call = {"function": {"name": item["name"], "arguments": item["arguments"]}}
            return {"role": "assistant", "content": "", "tool_calls": [call]}
        case "function_call_output":
            return {"role": "tool", "content": item["output"]}
    return {"role": item["role"], "content": item["content"]}


def events(said: "Said", model: str) -> Iterator[bytes]:
    """Give the server-sent events of a streamed answer."""
    answer = _response(said, model)
    whole: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**answer, "status": "in_progress", "output": []}}
    ]
    words = [part for part in re.findall(r"\S*\s*", said.text) if part]
    item = answer["output"][0]["id"] if answer["output"] else ""
    place = {"item_id": item, "output_index": 0, "content_index": 0}
    whole += [{"type": "response.output_text.delta", "delta": word, **place} for word in words]
    whole.append({"type": f"response.{answer['status']}", "response": answer})
    for number, event in enumerate(whole):
        yield f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': number})}\n\n".encode()


def _response(said: "Said", model: str) -> dict[str, Any]:
    spoken = {
        "type": "message", "id": f"msg_{uuid.uuid4().hex}", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": said.text, "annotations": []}],
    }  # fmt: skip
    calls = [
        {"type": "function_call", "id": f"fc_{uuid.uuid4().hex}", "call_id": f"call_{uuid.uuid4().hex[:12]}",
         "name": call.name, "arguments": call.arguments, "status": "completed"}
        for call in said.calls
    ]  # fmt: skip
    words = len(said.text.split())
    return {
        "id": f"resp_{uuid.uuid4().hex}", "object": "response", "created_at": int(time.time()), "model": model,
        "status": "incomplete" if said.finish == "length" else "completed", "store": False,
        "output": [*([spoken] if said.text else []), *calls],
        "usage": {"input_tokens": 10, "output_tokens": words, "total_tokens": 10 + words,
                  "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}},
    }  # fmt: skip
