"""What a UART hears of one character, bit by bit, whatever the two ends are set to."""

from __future__ import annotations

import functools
from typing import NamedTuple

from gatewayd.line.model import LineSettings, Parity


class Heard(NamedTuple):
    """One character as received."""

    byte: int
    framing_error: bool
    parity_error: bool


def frame(byte: int, settings: LineSettings) -> list[int]:
    """The bits of one character in order of time: start, data from the lowest, parity.

    The stop bits are the line at rest, 1, as is all that follows.
    """
    data = [byte >> index & 1 for index in range(settings.bytesize)]
    return [0, *data, *_parity_bits(data, settings.parity)]


def _parity_bits(data: list[int], parity: Parity) -> list[int]:
    match parity:
        case Parity.NONE:
            return []
        case Parity.EVEN:
            return [sum(data) % 2]
        case Parity.ODD:
            return [1 - sum(data) % 2]
        case Parity.MARK:
            return [1]
        case Parity.SPACE:
            return [0]


def hear(byte: int, sender: LineSettings, receiver: LineSettings) -> Heard | None:
    """Sample the sender's bits at the middle of the receiver's; None if no start bit is seen."""
    sent = frame(byte, sender)

    def sample(index: int) -> int:
        at = int((index + 0.5) * sender.baudrate / receiver.baudrate)
        return sent[at] if at < len(sent) else 1

    if sample(0):
        return None
    data = [sample(1 + index) for index in range(receiver.bytesize)]
    expected = _parity_bits(data, receiver.parity)
    found = [sample(1 + len(data) + index) for index in range(len(expected))]
    stop = sample(1 + len(data) + len(expected))
    value = sum(bit << index for index, bit in enumerate(data))
    return Heard(value, framing_error=not stop, parity_error=found != expected)


@functools.lru_cache(maxsize=64)
def hearing(sender: LineSettings, receiver: LineSettings) -> tuple[Heard | None, ...]:
    """`hear` for each of the 256 bytes."""
    return tuple(hear(byte, sender, receiver) for byte in range(256))
