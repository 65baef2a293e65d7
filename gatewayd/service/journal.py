"""The journal's own socket, by its native protocol: one datagram for an entry with its fields.

Never waits: journald may stand still (a card that stalls) or be gone, and ports must not notice.
See "Native Journal Protocol" of systemd's documentation.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from typing import Final

PATH: Final = "/run/systemd/journal/socket"
LONGEST_BYTES: Final = 32768
"""Of a value; more is cut off. What a datagram can carry is a matter of the system's settings."""


class Journal:
    """Where entries go. Raises OSError when there is no socket to send from, or none to send to."""

    def __init__(self, path: str = PATH) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            # Connecting tells whether it is there. Not kept: the journal may come back as another.
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as probe:
                probe.connect(path)
        except OSError:
            self._socket.close()
            raise

    def send(self, fields: Mapping[str, str]) -> bool:
        """Enter `fields`; False when the journal does not take them now."""
        try:
            self._socket.sendto(encode(fields), self._path)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Send no more."""
        self._socket.close()


def encode(fields: Mapping[str, str]) -> bytes:
    """The datagram of an entry. Names are those of systemd.journal-fields(7)."""
    parts = []
    for name, text in fields.items():
        value = text.encode("utf-8", "backslashreplace")[:LONGEST_BYTES]
        if b"\n" in value:
            parts += [name.encode(), b"\n", struct.pack("<Q", len(value)), value, b"\n"]
        else:
            parts += [name.encode(), b"=", value, b"\n"]
    return b"".join(parts)
