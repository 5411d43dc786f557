"""
Files that people send in Slack: asked for by their id, fetched from Slack's own host with the workspace's token.

`files.info` is asked in any case: of a file in a channel that is shared with another organisation, an event tells the
id and nothing else (`file_access: check_file_info`). Nothing that Slack answers leads us elsewhere: a redirect is not
followed, since it leads to a page to sign in and would take the token along.

Sources: https://docs.slack.dev/reference/objects/file-object, https://docs.slack.dev/reference/methods/files.info
"""

import http.client
import logging
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from parley.adapters import documents
from parley.adapters.slack_tokens import ApiOf
from parley.channels.outcome import MaybeSent, NotSent
from parley.channels.slack_errors import passes
from parley.domain.turn import Read
from parley.errors import Rejected, Unavailable

log = logging.getLogger("parley.slack")

LARGEST = 10 * 1024 * 1024  # bytes
TIMEOUT = 5.0
SECONDS = 30.0  # for a whole file
_PAGES = frozenset({"quip", "space", "post", "list"})  # canvases and lists: what is served for them is no file
_GONE = frozenset({"file_not_found", "file_deleted", "file_is_deleted"})


class _Unread(Exception):
    """It is not read. The message is for the person who sent it."""


class SlackFiles:
    """The files of every workspace that `api_of` opens; `hosts` are those that Slack serves files from."""

    def __init__(self, api_of: ApiOf, hosts: Sequence[str], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._api_of = api_of
        self._hosts = frozenset(hosts)
        self._clock = clock

    def read(self, origin: Mapping[str, Any], file: Mapping[str, Any]) -> Read:
        """Read one file that came with a message from there. Raises Unavailable."""
        name = str(file.get("name") or "")
        try:
            api = self._api_of(str(origin.get("workspace") or ""), origin.get("enterprise"))
            info = self._info(api, str(file["id"]))
            name = str(info.get("name") or info.get("title") or name)[:255]
            content = self._content(api, info)
            return Read(name, documents.text_of(content))
        except (_Unread, documents.Unreadable) as error:
            return Read(name, fault=str(error))
        except Rejected:
            return Read(name, fault="this workspace does not let me")

    def _info(self, api: Any, file_id: str) -> Mapping[str, Any]:
        try:
            answer, data = api.call(TIMEOUT, lambda client: client.files_info(file=file_id))
        except (NotSent, MaybeSent) as error:
            raise Unavailable("files.info: Slack cannot be reached") from error
        if answer.status >= 429 or passes(answer.code):
            raise Unavailable(f"files.info: {answer.code or answer.status}")
        if answer.code in _GONE:
            raise _Unread("it is not there any more")
        if answer.code or answer.status != 200:
            log.error("a file may not be read", extra={"fields": {"code": answer.code or answer.status}})
            raise _Unread("Slack does not let me")
        info: Mapping[str, Any] = data.get("file") or {}
        return info

    def _content(self, api: Any, info: Mapping[str, Any]) -> bytes:
        if info.get("mode") == "tombstone":
            raise _Unread("it is not there any more")
        if info.get("mode") in _PAGES:
            raise _Unread("it is neither text nor PDF")
        if info.get("mode") == "hidden_by_limit":
            raise _Unread("your Slack's plan hides it")
        if info.get("is_external") or info.get("mode") == "external":
            raise _Unread("it lies outside of Slack")
        size = info.get("size")
        if isinstance(size, int) and size > LARGEST:
            raise _Unread(f"it is larger than {LARGEST // 1024 // 1024} MiB")
        content = self._fetched(api, str(info.get("url_private_download") or info.get("url_private") or ""))
        is_page = content[:512].lstrip().lower().startswith((b"<!doctype html", b"<html"))
        if is_page and len(content) != size:
            raise self._to_sign_in()
        return content

    def _fetched(self, api: Any, url: str) -> bytes:
        parts = urlsplit(url)
        # As safe as the API is: only a stand-in for Slack is spoken to without TLS.
        if parts.netloc not in self._hosts or parts.scheme != urlsplit(api.url).scheme:
            log.error("a file is not on Slack's host", extra={"fields": {"host": parts.hostname}})
            raise _Unread("it lies outside of Slack")
        until = self._clock() + SECONDS
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(
                parts.netloc, timeout=TIMEOUT, context=ssl.create_default_context()
            )
        else:
            connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)
        headers = {"Authorization": f"Bearer {api.token}", "Accept-Encoding": "identity"}
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        try:
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
            self._judge(response.status)
            return self._body(response, until)
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable("a file cannot be fetched") from error
        finally:
            connection.close()

    def _judge(self, status: int) -> None:
        if status == 200:
            return
        if status == 429 or status >= 500:
            raise Unavailable(f"a file cannot be fetched: {status}")
        if status in (404, 410):
            raise _Unread("it is not there any more")
        raise self._to_sign_in()

    def _body(self, response: http.client.HTTPResponse, until: float) -> bytes:
        """Give what comes, unless it is too much or too slow, whatever was promised."""
        content = bytearray()
        while piece := response.read1(64 * 1024):
            content += piece
            if len(content) > LARGEST:
                raise _Unread(f"it is larger than {LARGEST // 1024 // 1024} MiB")
            if self._clock() > until:
                raise Unavailable("a file comes too slowly")
        if response.length:
            raise Unavailable("a file came in part")
        return bytes(content)

    @staticmethod
    def _to_sign_in() -> _Unread:
        log.error("Slack asked us to sign in for a file: is the scope files:read granted?")
        return _Unread("Slack does not let me")
