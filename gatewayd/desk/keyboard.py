"""Lines as people and programs type them: Enter is CR LF, CR NUL, CR or LF."""

from __future__ import annotations

from typing import Final

LONGEST: Final = 256
_ERASE: Final = b"\b \b"
_RUB_OUT: Final = (b"\x08", b"\x7f")


class TooLong(Exception):
    """A line without an end."""


class LineReader:
    """Takes a byte at a time. `echo` is what the other end is to see of it."""

    def __init__(self) -> None:
        self._line = bytearray()
        self.after_cr = False
        """Whether the last key was CR: a LF or NUL that follows belongs to it."""
        self.echo = b""

    def feed(self, byte: bytes) -> str | None:
        """The line that ends here, if one does. Raises TooLong."""
        after_cr, self.after_cr = self.after_cr, byte == b"\r"
        self.echo = b""
        if byte == b"\r" or (byte == b"\n" and not after_cr):
            self.echo = b"\r\n"
            line, self._line = bytes(self._line), bytearray()
            return line.decode("ascii", "replace")
        if byte in _RUB_OUT:
            if self._line:
                del self._line[-1:]
                self.echo = _ERASE
        elif byte == b"\x15":
            self.echo = _ERASE * len(self._line)
            self._line.clear()
        elif byte == b"\x04" and not self._line:
            return "quit"
        elif byte >= b" ":
            self._line += byte
            self.echo = byte if byte < b"\x7f" else b"?"
            if len(self._line) > LONGEST:
                raise TooLong
        return None
