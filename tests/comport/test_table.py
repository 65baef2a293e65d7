"""The table, run on a UART's registers and on a real PTY, complete, and as it is published."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from gatewayd.comport.access import AccessServer, LineControl
from gatewayd.comport.wire import PARITIES, STOPSIZES, Command, Control, Request
from gatewayd.line.api import Gathering
from gatewayd.line.model import LineErrors, LineSettings, Signal, SignalPolicies
from gatewayd.line.opening import open_line
from tests.comport.published import fill_in
from tests.comport.table import SIGNATURE, TABLE, Row, named
from tests.comport.uart import Uart, perform

DOCUMENT = Path(__file__).parents[2] / "docs/rfc2217.md"


def describe(before: LineSettings, after: LineSettings) -> str:
    """What differs between two settings of a line."""
    words = []
    if before.baudrate != after.baudrate:
        words.append(f"{after.baudrate} Bd")
    if before.bytesize != after.bytesize:
        words.append(f"{after.bytesize} data bits")
    if before.parity is not after.parity:
        words.append(f"parity {after.parity.name.lower()}")
    if before.stopbits is not after.stopbits:
        words.append(f"{after.stopbits.value:g} stop bits")
    words += [
        f"{name} {'on' if getattr(after, name) else 'off'}"
        for name in ("ixon", "ixoff", "rtscts")
        if getattr(before, name) != getattr(after, name)
    ]
    return ", ".join(words)


def describe_outputs(before: Signal, after: Signal) -> str:
    """What differs between two states of DTR and RTS."""
    return ", ".join(
        f"{signal.name} {'on' if signal & after else 'off'}"
        for signal in (Signal.DTR, Signal.RTS)
        if signal & (before ^ after)
    )


def describe_break(before: bool, after: bool) -> str:
    """What differs between two states of break."""
    return "" if before == after else f"break {'on' if after else 'off'}"


def play(row: Row, line: LineControl) -> tuple[list[bytes], str]:
    """Perform a row on a line; its answers and what it did to the line."""
    access = AccessServer(SIGNATURE)
    access.begin(line)
    perform(access, row.after, line)
    settings, signals, breaking = line.settings(), line.signals(), breaks(line)
    answers = perform(access, [row.request], line)
    effects = (
        describe(settings, line.settings()),
        describe_outputs(signals, line.signals()),
        describe_break(breaking, breaks(line)),
    )
    return answers, ", ".join(effect for effect in effects if effect)


def breaks(line: LineControl) -> bool:
    """Whether break is on, as far as that can be seen: on a PTY it never is."""
    return isinstance(line, Uart) and line.breaking


@pytest.mark.parametrize("row", named(TABLE))
def test_row_on_a_uart(row: Row) -> None:
    assert play(row, Uart()) == (list(row.answers), row.effect)


class Nobody:
    """Takes what a line tells, for tests that do not wait for it."""

    def line_data(self, data: bytes) -> None: ...
    def line_writable(self) -> None: ...
    def line_signals(self, signals: Signal) -> None: ...
    def line_errors(self, errors: LineErrors) -> None: ...
    def line_refused(self, what: str, error: OSError) -> None: ...

    def line_streams_both_ways(self) -> bool:
        return False

    def line_gathered(self, place: Gathering | None) -> None: ...
    def line_lost(self, cause: OSError | None) -> None: ...


async def play_on_pty(row: Row) -> tuple[list[bytes], str]:
    """`play` on the line that gatewayd opens on a new PTY."""
    master, slave = os.openpty()
    try:
        line = await open_line(os.ttyname(slave), LineSettings(), SignalPolicies(), Nobody())
        try:
            return play(row, line)
        finally:
            closed = asyncio.Event()
            line.close(closed.set)
            await closed.wait()
    finally:
        os.close(slave)
        os.close(master)


@pytest.mark.parametrize("row", named(TABLE))
def test_row_on_a_pty(row: Row) -> None:
    seen = "" if row.effect.startswith("break") else row.effect
    assert asyncio.run(play_on_pty(row)) == (list(row.answers), seen)


def asked(command: Command) -> set[int]:
    return {row.request.value for row in TABLE if row.request.command is command}


def test_the_table_has_every_command_and_value() -> None:
    assert {row.request.command for row in TABLE} == set(Command)
    assert asked(Command.SET_CONTROL) >= set(Control)
    assert asked(Command.SET_DATASIZE) >= {0, 5, 6, 7, 8}
    assert asked(Command.SET_PARITY) >= {0, *PARITIES}
    assert asked(Command.SET_STOPSIZE) >= {0, *STOPSIZES}
    assert asked(Command.PURGE_DATA) >= {1, 2, 3}


@pytest.mark.parametrize(
    ("command", "beyond"),
    [
        (Command.SET_DATASIZE, 9),
        (Command.SET_PARITY, 6),
        (Command.SET_STOPSIZE, 4),
        (Command.SET_CONTROL, 20),
        (Command.PURGE_DATA, 4),
    ],
)
def test_undefined_values_are_answered_with_what_is_in_force(command: Command, beyond: int) -> None:
    in_force = {
        row.request.value: list(row.answers)
        for row in TABLE
        if row.request.command is command and not row.after
    }[0]
    for value in range(beyond, 256):
        line = Uart()
        access = AccessServer(SIGNATURE)
        access.begin(line)
        assert perform(access, [Request(command, value)], line) == in_force
        assert line.asked == []


def test_the_document_has_the_table() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    for command in Command:
        assert f"<!-- table: {command.name.replace('_', '-')} -->" in document
    assert fill_in(document) == document, "python -m tests.comport.published docs/rfc2217.md"
