"""A bench supply that understands a little SCPI (IEEE 488.2, SCPI-99): bytes in, bytes out."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Final

from gatewayd import __version__

IDENTITY: Final = f"GATEWAYD,DEMO SUPPLY,0,{__version__}"
WAVEFORM: Final = b"#3256" + bytes(range(256))
"""A definite length block (IEEE 488.2, 8.7.9): three digits tell that 256 bytes follow."""
HIGHEST_VOLTAGE: Final = 30.0
LONGEST_COMMAND: Final = 256
"""Bytes of a command without its end; a longer one is an error and is skipped."""
LONGEST_QUEUE: Final = 10

QUEUE_OVERFLOW: Final = (-350, "Queue overflow")
COMMAND_ERROR, EXECUTION_ERROR, DEVICE_ERROR, OPERATION_COMPLETE = 0x20, 0x10, 0x08, 0x01
"""Bits of the standard event status register (IEEE 488.2, 11.5.1)."""


class Instrument:
    """The instrument: `receive` takes what comes in and returns what it answers.

    A command ends with LF, CR or CR LF. The answer ends with LF, and with CR LF after a CR: so a
    terminal shows it well. What it does not know goes to the error queue, as `SYST:ERR?` tells.
    """

    def __init__(self) -> None:
        self._command = bytearray()
        self._overrun = False
        self._errors: deque[tuple[int, str]] = deque()
        self._events = 0x80  # switched on
        self._volts = 0.0
        self._commands: list[tuple[re.Pattern[str], Callable[[str], bytes | None]]] = [
            (_header(header), action)
            for header, action in (
                ("*IDN?", lambda _: IDENTITY.encode()),
                ("*RST", self._reset),
                ("*CLS", self._clear),
                ("*OPC", self._complete),
                ("*OPC?", lambda _: b"1"),
                ("*ESR?", self._event_status),
                ("SYSTem:ERRor?", self._next_error),
                ("MEASure:VOLTage?", self._voltage),
                ("VOLTage?", self._voltage),
                ("VOLTage", self._set_voltage),
                ("CURVe?", lambda _: WAVEFORM),
                ("WAVeform:DATA?", lambda _: WAVEFORM),
            )
        ]

    def receive(self, data: bytes) -> bytes:
        """Answer what is complete now; the rest waits for more."""
        answers = []
        for piece in re.findall(rb"[^\r\n]+|\r|\n", data):
            if piece in (b"\r", b"\n"):
                answers.append(self._ended(b"\r\n" if piece == b"\r" else b"\n"))
            elif len(self._command) + len(piece) > LONGEST_COMMAND:
                self._overrun = True
                self._command.clear()
            elif not self._overrun:
                self._command += piece
        return b"".join(answers)

    def _ended(self, end: bytes) -> bytes:
        """A line has come; between CR and LF it is empty, and nothing happens."""
        if self._overrun:
            self._fail(-363, "Input buffer overrun", DEVICE_ERROR)
        line = self._command.decode("ascii", "replace")
        self._command.clear()
        self._overrun = False
        answers = [self._execute(command.strip()) for command in line.split(";")]
        given = [answer for answer in answers if answer is not None]
        return b";".join(given) + end if given else b""

    def _execute(self, command: str) -> bytes | None:
        if not command:
            return None
        header, _, argument = command.partition(" ")
        for pattern, action in self._commands:
            if pattern.fullmatch(header):
                return action(argument.strip())
        self._fail(-113, "Undefined header", COMMAND_ERROR)
        return None

    def _reset(self, _: str) -> None:
        self._volts = 0.0

    def _clear(self, _: str) -> None:
        self._errors.clear()
        self._events = 0

    def _complete(self, _: str) -> None:
        self._events |= OPERATION_COMPLETE

    def _event_status(self, _: str) -> bytes:
        events, self._events = self._events, 0
        return str(events).encode()

    def _next_error(self, _: str) -> bytes:
        number, text = self._errors.popleft() if self._errors else (0, "No error")
        return f'{number},"{text}"'.encode()

    def _voltage(self, _: str) -> bytes:
        return f"{self._volts:.3f}".encode()

    def _set_voltage(self, argument: str) -> None:
        if not argument:
            self._fail(-109, "Missing parameter", COMMAND_ERROR)
        elif not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", argument, re.ASCII):
            self._fail(-104, "Data type error", COMMAND_ERROR)
        elif not 0 <= float(argument) <= HIGHEST_VOLTAGE:
            self._fail(-222, "Data out of range", EXECUTION_ERROR)
        else:
            self._volts = float(argument)

    def _fail(self, number: int, text: str, event: int) -> None:
        self._events |= event
        if len(self._errors) < LONGEST_QUEUE:
            self._errors.append((number, text))
        else:
            self._errors[-1] = QUEUE_OVERFLOW


def _header(form: str) -> re.Pattern[str]:
    """`VOLTage?` in its short and its long form, with or without a colon before it."""
    words = re.split(r"(:)", form)
    pattern = "".join(
        word if word == ":" else re.sub(r"([a-z]+)", r"(?:\1)?", re.escape(word)) for word in words
    )
    return re.compile(("" if form.startswith("*") else ":?") + pattern, re.IGNORECASE)
