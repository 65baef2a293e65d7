"""The files of the records of ports, for those who have signed in; read in a thread."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from typing import Any, BinaryIO, Final

from gatewayd.web.message import Response, plain, text

NAME: Final = re.compile(r"\d{4}-\d\d-\d\d(\.\d+)?\.(log|pcapng)", re.ASCII)
PIECE_BYTES: Final = 262144


async def listing(directory: str) -> Response:
    """Names and sizes, the newest first."""
    try:
        return plain(await asyncio.to_thread(_list, directory))
    except OSError as error:
        return _refused(error)


async def download(directory: str, port: str, name: str) -> Response:
    """One of the files, as long as it is now."""
    if not NAME.fullmatch(name):
        return text(404, "there is no such record")
    try:
        file, length = await asyncio.to_thread(_open, os.path.join(directory, name))
    except OSError as error:
        return _refused(error)
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f'attachment; filename="{port}-{name}"',
        "Cache-Control": "no-store",
    }
    return Response(200, b"", headers, _pieces(file, length), length)


def _list(directory: str) -> list[dict[str, Any]]:
    with os.scandir(directory) as entries:
        found = [
            {"name": entry.name, "size": entry.stat().st_size}
            for entry in entries
            if NAME.fullmatch(entry.name)
        ]
    return sorted(found, key=lambda one: str(one["name"]), reverse=True)


def _open(path: str) -> tuple[BinaryIO, int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    return os.fdopen(descriptor, "rb"), os.fstat(descriptor).st_size


async def _pieces(file: BinaryIO, length: int) -> AsyncIterator[bytes]:
    with file:
        while length > 0:
            piece = await asyncio.to_thread(file.read, min(length, PIECE_BYTES))
            if not piece:
                return
            length -= len(piece)
            yield piece


def _refused(error: OSError) -> Response:
    if isinstance(error, FileNotFoundError):
        return text(404, "there is no such record")
    if isinstance(error, PermissionError):
        return text(403, "this page may not read the records, see docs/page.md")
    return text(500, f"the record cannot be read: {error.strerror}")
