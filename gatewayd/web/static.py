"""The files of the page: read once, compressed once."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from gatewayd.web.message import Request, Response, text

ROOT: Final = Path(__file__).parent / "static"
KINDS: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@cache
def files() -> dict[str, Path]:
    """What there is, by the path in a request: a request names one of these or nothing."""
    found = {f"/{path.relative_to(ROOT)}": path for path in ROOT.rglob("*") if path.suffix in KINDS}
    return {**found, "/": found["/page.html"], "/fleet": found["/fleet.html"]}


@dataclass(frozen=True, slots=True)
class _File:
    data: bytes
    packed: bytes
    tag: str


@cache
def _load(path: Path) -> _File:
    data = path.read_bytes()
    return _File(
        data, gzip.compress(data, 6, mtime=0), f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    )


def answer(request: Request) -> Response:
    """The file that a request names."""
    path = files().get(request.path)
    if path is None:
        return text(404, "there is nothing here")
    file = _load(path)
    # It may be kept, but another version of gatewayd has another one: it is asked for each time.
    headers = {
        "Content-Type": KINDS[path.suffix],
        "Cache-Control": "no-cache",
        "ETag": file.tag,
        "Vary": "Accept-Encoding",
    }
    if request.headers.get("if-none-match") == file.tag:
        return Response(304, b"", headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(200, file.packed, {**headers, "Content-Encoding": "gzip"})
    return Response(200, file.data, headers)
