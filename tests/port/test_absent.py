"""What stands for a line while its device is away."""

from __future__ import annotations

import pytest

from gatewayd.line.model import LineErrors, LineSettings, Purge, Signal, StopBits
from gatewayd.port.absent import AbsentLine


def test_it_remembers_what_is_set() -> None:
    line = AbsentLine(LineSettings(4800))
    wanted = line.settings()._replace(baudrate=19200)
    line.configure(wanted)
    assert line.settings() == wanted


@pytest.mark.parametrize(
    ("wanted", "remembered"),
    [
        (LineSettings(2**32 - 1), LineSettings(4800)),
        (LineSettings(19200, stopbits=StopBits.ONE_POINT_FIVE), LineSettings(19200)),
        (
            LineSettings(19200, 5, stopbits=StopBits.TWO),
            LineSettings(19200, 5, stopbits=StopBits.ONE_POINT_FIVE),
        ),
    ],
)
def test_it_remembers_only_what_a_line_could_take(
    wanted: LineSettings, remembered: LineSettings
) -> None:
    line = AbsentLine(LineSettings(4800))
    line.configure(wanted)
    assert line.settings() == remembered


def test_its_inputs_are_off_and_its_outputs_as_set() -> None:
    line = AbsentLine(LineSettings())
    assert line.signals() == Signal.DTR | Signal.RTS
    line.set_signals(on=Signal.DTR, off=Signal.RTS)
    line.set_signals(on=Signal.NONE, off=Signal.RTS)
    assert line.signals() is Signal.DTR


def test_nothing_waits_for_it_and_nothing_went_wrong() -> None:
    line = AbsentLine(LineSettings())
    line.set_break(True)
    line.purge(Purge.BOTH)
    assert line.unsent() == 0
    assert line.errors() == LineErrors()
