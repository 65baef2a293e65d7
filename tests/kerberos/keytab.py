"""A keytab without a KDC: the file as MIT has it, format 0x502."""

from __future__ import annotations

import struct
from pathlib import Path

_AES256 = 18
_NAME_OF_HOST = 3


def keytab(path: Path, host: str = "localhost", realm: str = "LAB") -> None:
    """Write the key of `host/HOST`, which no KDC knows."""
    name = b"".join(_counted(part.encode()) for part in (realm, "host", host))
    key = struct.pack(">H", _AES256) + _counted(bytes(range(32)))
    entry = struct.pack(">H", 2) + name + struct.pack(">IIB", _NAME_OF_HOST, 0, 1) + key
    path.write_bytes(struct.pack(">Hi", 0x502, len(entry)) + entry)
    path.chmod(0o600)


def _counted(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data
