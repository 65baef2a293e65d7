"""The text form of a record: a line for each line, for `tail`, `grep` and people.

    2026-11-25T09:12:03.118+01:00 < MEAS 1.234
    2026-11-25T09:12:04.002+01:00 > *IDN?
    2026-11-25T09:12:05.340+01:00 ! break received

A stamp is that of the line's first byte. What a terminal would act upon, or is no UTF-8, is written
as `\\xNN`; a backslash is, too, where it could be taken for one of ours.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from gatewayd.record.side import Side

LONGEST: Final = 1024
"""Bytes of a line; a longer one is cut, with a backslash at the end of each part but the last."""
LARGE: Final = 256
"""Bytes of a chunk that is best taken by itself, for many of its lines have one stamp."""
PROMPT_S: Final = 0.05
"""An unfinished line that rested so long when the other side begins one is a prompt: it is written
first."""

_SAFE: Final = bytes(byte for byte in range(0x20, 0x7F) if byte != 0x5C) + b"\t"
_SAFE_LINES: Final = _SAFE + b"\n"
_ESCAPES: Final = {
    **{code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F) if code != 0x09},
    **{code: f"\\xc2\\x{code:02x}" for code in range(0x80, 0xA0)},
    **{0xDC00 + byte: f"\\x{byte:02x}" for byte in range(0x80, 0x100)},
}
_BYTES: Final = tuple(bytes((byte,)) if byte in _SAFE else b"\\x%02x" % byte for byte in range(256))
"""Each byte as it is written where nothing is text."""
_BINARY: Final = 4
"""A line is no text when it is no UTF-8 and has one byte in so many that is not printable ASCII."""
_BACKSLASH: Final = re.compile(r"\\(?=x[0-9a-f]{2}|\Z)")
_ESCAPED: Final = re.compile(rb"\\x([0-9a-f]{2})")


def escaped(data: bytes) -> bytes:
    """One line's bytes as they are written."""
    strange = len(data.translate(None, _SAFE))
    if not strange:
        return data
    if strange * _BINARY > len(data) and not _is_utf8(data):
        return b"".join(map(_BYTES.__getitem__, data))
    text = _BACKSLASH.sub(r"\\x5c", data.decode("utf-8", "surrogateescape"))
    text = text.translate(_ESCAPES)
    if not text.replace("\t", "").isprintable():
        text = "".join(one if one.isprintable() or one == "\t" else _hex(one) for one in text)
    return text.encode()


def _is_plain(data: bytes) -> bool:
    """Whether lines are written as they are, but for a CR before the LF."""
    strange = len(data.translate(None, _SAFE_LINES))
    return not strange or strange == data.count(b"\r\n")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _hex(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode())


def unescaped(written: bytes) -> bytes:
    """The bytes of a line from what `escaped` made of them."""
    return _ESCAPED.sub(lambda found: bytes((int(found[1], 16),)), written)


class _Half:
    """What one side has said of a line that is not over."""

    def __init__(self, side: Side) -> None:
        self.mark = f" {side.value} ".encode()
        self.begun = bytearray()
        self.first = self.last = 0.0
        self.ended = b"\n"
        """How its line before ended; empty when it was written before it was over."""


class _Times:
    """When each byte of some chunks came, asked from the first to the last."""

    def __init__(self, chunks: Iterable[tuple[float, bytes]]) -> None:
        self._chunks = iter(chunks)
        self._when = 0.0
        self._end = 0

    def at(self, offset: int) -> tuple[float, int]:
        """When the byte at `offset` came, and where the bytes end that came with it."""
        while self._end <= offset:
            self._when, chunk = next(self._chunks)
            self._end += len(chunk)
        return self._when, self._end


class TextFormat:
    """Makes lines of chunks. `stamp` gives the text of a time."""

    def __init__(self, stamp: Callable[[float], bytes]) -> None:
        self._stamp = stamp
        self._device = _Half(Side.DEVICE)
        self._client = _Half(Side.CLIENT)

    @property
    def open(self) -> bool:
        """Whether there is a line that is not over."""
        return bool(self._device.begun or self._client.begun)

    def said(self, side: Side, data: bytes, when: float) -> bytes:
        """The lines that `data`, which came at `when`, completes."""
        half, other = self._device, self._client
        if side is Side.CLIENT:
            half, other = other, half
        written = b""
        if other.begun and not half.begun and when - other.last >= PROMPT_S:
            written = self._unfinished(other)
        start = 0
        if half.begun or half.ended != b"\n":
            start = data.find(b"\n") + 1 or len(data)
            written += self._pieces(half, data[:start], when)
        stop = data.rfind(b"\n", start) + 1
        if stop > start:
            written += self._whole(half, data[start:stop], when)
            start = stop
        if start < len(data):
            written += self._pieces(half, data[start:], when)
        half.last = when
        return written

    def said_all(self, side: Side, chunks: Sequence[tuple[float, bytes]]) -> bytes:
        """The same for several chunks of one side, each with the time when it came."""
        written = [self.said(side, chunks[0][1], chunks[0][0])]
        chunks = chunks[1:]
        half, other = self._device, self._client
        if side is Side.CLIENT:
            half, other = other, half
        data = b"".join([chunk for _, chunk in chunks])
        lines = data.split(b"\n")
        if (
            other.begun
            or half.ended != b"\n"
            or len(data) > LARGE * len(chunks)
            or not _is_plain(data)
            or len(half.begun) + max(map(len, lines)) > LONGEST
        ):
            written += [self.said(side, chunk, when) for when, chunk in chunks]
            return b"".join(written)
        tail = lines.pop()
        times = _Times(chunks)
        at, until, head = 0, 0, b""
        for line in lines:
            content = line[:-1] if line.endswith(b"\r") else line
            if half.begun:
                half.begun += content
                written.append(self._line(half))
            else:
                if at >= until:
                    when, until = times.at(at)
                    head = self._stamp(when) + half.mark
                written.append(b"%b%b\n" % (head, content))
            at += len(line) + 1
        if tail:
            written += self._add(half, tail, times.at(at)[0])
        if chunks:
            half.last = chunks[-1][0]
        return b"".join(written)

    def happened(self, text: str, when: float) -> bytes:
        """The line that tells it."""
        return b"%b ! %b\n" % (self._stamp(when), escaped(text.encode()))

    def flush(self, before: float = math.inf) -> bytes:
        """What is not over of lines that nobody has added to since `before`."""
        return b"".join(
            self._unfinished(half)
            for half in sorted((self._device, self._client), key=lambda half: half.first)
            if half.begun and half.last <= before
        )

    def _whole(self, half: _Half, data: bytes, when: float) -> bytes:
        """Lines of which none began before: mostly clean, and then done at once."""
        lines = data.replace(b"\r\n", b"\n")
        if lines.translate(None, _SAFE_LINES) or (
            len(lines) > LONGEST and max(map(len, lines.split(b"\n"))) > LONGEST
        ):
            return self._pieces(half, data, when)
        head = self._stamp(when) + half.mark
        return head + lines[:-1].replace(b"\n", b"\n" + head) + b"\n"

    def _pieces(self, half: _Half, data: bytes, when: float) -> bytes:
        written = []
        for piece in data.splitlines(keepends=True):
            content = piece.rstrip(b"\r\n")
            end = piece[len(content) :]
            if content:
                written += self._add(half, content, when)
            if not end:
                continue
            if half.begun:
                written.append(self._line(half))
            elif end == b"\r":
                # The rest of an end such as LF CR, or the beginning of one that was cut in two.
                continue
            elif half.ended == b"\n":
                half.first = when
                written.append(self._line(half))
            half.ended = end[-1:]
        return b"".join(written)

    def _add(self, half: _Half, content: bytes, when: float) -> list[bytes]:
        written = []
        if not half.begun:
            half.first = when
        half.begun += content
        while len(half.begun) > LONGEST:
            cut = LONGEST
            while cut > LONGEST - 4 and half.begun[cut] & 0xC0 == 0x80:
                cut -= 1
            rest = half.begun[cut:]
            del half.begun[cut:]
            written.append(self._line(half, b"\\\n"))
            half.begun, half.first = rest, when
        return written

    def _unfinished(self, half: _Half) -> bytes:
        half.ended = b""
        return self._line(half)

    def _line(self, half: _Half, end: bytes = b"\n") -> bytes:
        line = self._stamp(half.first) + half.mark + escaped(bytes(half.begun)) + end
        half.begun.clear()
        return line
