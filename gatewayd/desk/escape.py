"""The keys that are for the gateway among those for the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HELD_S: Final = 0.3
"""So long the first key of the escape may wait for the second, before it goes to the device."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key behind the escape."""

    char: str


class Escape:
    """Finds the escape, one byte or two, in what a person types; none is never found."""

    def __init__(self, sequence: bytes) -> None:
        self._first = sequence[:1]
        self._second = sequence[1:2]
        self.held = False
        """Whether the first key waits for the second."""
        self._found = False

    def feed(self, data: bytes) -> list[bytes | Key]:
        """What of it is for the device, and the keys that are not, in order. The first key of the
        escape behind the escape is itself."""
        if not self._first or not (self.held or self._found or self._first in data):
            return [data] if data else []
        parts: list[bytes | Key] = []
        while data:
            if self._found:
                self._found = False
                key, data = data[:1], data[1:]
                parts.append(key if key == self._first else Key(key.decode("latin-1")))
            elif self.held:
                self.held = False
                if data[:1] == self._second:
                    self._found, data = True, data[1:]
                else:
                    parts.append(self._first)
            else:
                before, first, data = data.partition(self._first)
                if before:
                    parts.append(before)
                if first:
                    self.held, self._found = bool(self._second), not self._second
        return parts

    def release(self) -> bytes:
        """What was held back, which is for the device."""
        held, self.held = self.held, False
        return self._first if held else b""


def written(sequence: bytes) -> str:
    """The escape as people write it."""
    return "".join(f"^{chr(byte + 64)}" if byte < 32 else chr(byte) for byte in sequence)
