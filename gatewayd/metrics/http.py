"""As much of HTTP/1.1 (RFC 9110, 9112) as a scraper needs: one GET, one answer, then the end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from gatewayd.metrics.text import Form

LONGEST_HEAD: Final = 8192
"""Bytes of a request."""
END: Final = b"\r\n\r\n"
PATH: Final = "/metrics"

_NUMERIC: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9.]+|localhost)(:[0-9]{1,5})?", re.I)
_QUALITY: Final = re.compile(r"q=([01](?:\.[0-9]{0,3})?)")
_TEXTS: Final = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    505: "HTTP Version Not Supported",
}


class BadRequest(Exception):
    """A request that is answered with the status `status`; the text is for a person."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """A request for the metrics."""

    form: Form
    """The one that is liked best."""
    body: bool
    """Whether the metrics themselves are wanted: GET, not HEAD."""


def parse(head: bytes, *, loopback: bool) -> Request:
    """What a request asks for; `head` ends with an empty line. Raises BadRequest.

    `loopback` is whether only this machine can connect. Then a name of another one in Host is that
    of a page in a browser here, which had its name resolved to us (DNS rebinding).
    """
    lines = head.removesuffix(END).decode("latin-1").split("\r\n")
    method, path, version = _request_line(lines[0])
    fields: dict[str, list[str]] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise BadRequest(400, "a header field is malformed")
        fields.setdefault(name.lower(), []).append(value.strip(" \t"))
    hosts = fields.get("host", [])
    if len(hosts) > 1 or (version == "1.1" and not hosts):
        raise BadRequest(400, "there is not one Host")
    if loopback and any(not _NUMERIC.fullmatch(host) for host in hosts):
        raise BadRequest(403, "on loopback only localhost and numeric hosts are served")
    if path.partition("?")[0] != PATH:
        raise BadRequest(404, f"there is only {PATH}")
    if method not in ("GET", "HEAD"):
        raise BadRequest(405, "only GET and HEAD are served")
    return Request(_liked(",".join(fields.get("accept", []))), method == "GET")


def _request_line(line: str) -> tuple[str, str, str]:
    found = re.fullmatch(r"([A-Z]{1,16}) ([!-~]+) HTTP/([0-9]\.[0-9])", line)
    if found is None:
        raise BadRequest(400, "that is no HTTP request")
    if not found[3].startswith("1."):
        raise BadRequest(505, "only HTTP/1 is served")
    return found[1], found[2], found[3]


def _liked(accept: str) -> Form:
    """The form by an Accept: OpenMetrics where it is named and liked at least as much."""
    likes = dict.fromkeys(Form, 0.0)
    for choice in accept.lower().split(","):
        media, *parameters = (part.strip() for part in choice.split(";"))
        quality = 1.0
        for parameter in parameters:
            if found := _QUALITY.fullmatch(parameter):
                quality = float(found[1])
        for form in Form:
            name, version = (part.strip() for part in form.value.split(";")[:2])
            versions = [one for one in parameters if one.startswith("version=")]
            if media == name and versions in ([], [version]):
                likes[form] = max(likes[form], quality)
    liked = likes[Form.OPENMETRICS]
    return Form.OPENMETRICS if liked and liked >= likes[Form.TEXT] else Form.TEXT


def answer(status: int, media: str, body: bytes, *, with_body: bool = True) -> bytes:
    """A whole answer, after which the connection ends."""
    allowed = "Allow: GET, HEAD\r\n" if status == 405 else ""
    head = (
        f"HTTP/1.1 {status} {_TEXTS[status]}\r\n"
        f"Content-Type: {media}\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        f"{allowed}"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")


def refusal(error: BadRequest) -> bytes:
    """The answer to a request that is not served."""
    return answer(error.status, "text/plain; charset=utf-8", f"{error}\n".encode())
