"""A request and a response, and the headers that every response has."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from gatewayd.web.access import Ends

SECURITY: Final = {
    # xterm.js sets styles by script, which 'self' alone forbids; scripts are from files only.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; "
    "style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Request:
    """What a browser asks. Names of `headers` are in lower case; `path` has no query."""

    method: str
    path: str
    headers: Mapping[str, str]
    ends: Ends
    body: bytes = b""
    secure: bool = False
    """Whether it came over TLS."""

    @property
    def host(self) -> str:
        """The Host header."""
        return self.headers.get("host", "")

    @property
    def upgrades(self) -> bool:
        """Whether it wants a WebSocket."""
        return self.headers.get("upgrade", "").lower() == "websocket"


@dataclass(frozen=True, slots=True)
class Response:
    """What it gets. `pieces`, when there are some, come in place of `body`, `length` bytes."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: AsyncIterator[bytes] | None = None
    length: int = 0


def text(status: int, sentence: str) -> Response:
    """A sentence for people."""
    return Response(status, f"{sentence}\n".encode(), {"Content-Type": "text/plain; charset=utf-8"})


def plain(value: object, headers: Mapping[str, str] | None = None) -> Response:
    """A value as JSON, which nobody keeps."""
    kind = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return Response(200, json.dumps(value).encode(), {**kind, **(headers or {})})
