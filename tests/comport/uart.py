"""A simulated line that behaves as a UART where a setting is refused, and remembers its calls."""

from __future__ import annotations

from collections.abc import Iterable

from gatewayd.comport.access import AccessServer, LineControl
from gatewayd.comport.wire import Command, ModemState, Request, encode_answer
from gatewayd.line.model import LineErrors, LineSettings, Parity, Signal, StopBits
from gatewayd.line.pending import Pending
from tests.sim.clock import FakeClock
from tests.sim.line import SimLine

TOO_FAST = 2**32 - 1
CONNECTED = Signal.CTS | Signal.DSR | Signal.CD
LEVELS = ModemState.CTS | ModemState.DSR | ModemState.CD


def perform(access: AccessServer, requests: Iterable[Request], line: LineControl) -> list[bytes]:
    """The answers to requests, on a line that does all at once."""
    answers: list[bytes] = []
    for change in access.plan(requests, line):
        assert change.apply(line) is None
        answers += access.answers(change, line)
    return answers


class Uart(SimLine):
    """Refuses the rate `TOO_FAST`, 1.5 stop bits unless there are 5 data bits, and `refused`.

    With 5 data bits it sends 1.5 stop bits for 2, as a 16550 does. The clock stands still, except
    in `make_parity_errors`.
    """

    def __init__(self, *refused: Parity) -> None:
        self._ticking = FakeClock()
        super().__init__(self._ticking)
        self.refused = {("baudrate", TOO_FAST), *(("parity", parity) for parity in refused)}
        self.asked: list[LineSettings] = []
        """What each call of `configure` wanted."""
        self.moved = Signal.NONE
        """The outputs that a call has named."""

    def configure(self, wanted: LineSettings) -> Pending | None:
        self.asked.append(wanted)
        if wanted.bytesize == 5 and wanted.stopbits is StopBits.TWO:
            wanted = wanted._replace(stopbits=StopBits.ONE_POINT_FIVE)
        elif wanted.bytesize != 5 and wanted.stopbits is StopBits.ONE_POINT_FIVE:
            half = self.settings().stopbits is StopBits.ONE_POINT_FIVE
            wanted = wanted._replace(stopbits=StopBits.TWO if half else self.settings().stopbits)
        return super().configure(wanted)

    def set_signals(self, on: Signal, off: Signal) -> Pending | None:
        self.moved |= on | off
        return super().set_signals(on, off)

    def errors(self) -> LineErrors:
        return self.receiver.errors

    def make_parity_errors(self, count: int) -> None:
        """Receive `count` characters with wrong parity."""
        self.receiver.inject_parity_errors(count)
        self.receive(b"x" * count)
        self._ticking.advance(0)


def begun(line: Uart, *, lenient: bool = False) -> AccessServer:
    access = AccessServer("gatewayd", lenient=lenient)
    access.begin(line)
    return access


def ask(access: AccessServer, line: Uart, *requests: tuple[Command, int]) -> list[bytes]:
    return perform(access, [Request(command, value) for command, value in requests], line)


def notified(state: int) -> bytes:
    return encode_answer(Command.NOTIFY_MODEMSTATE, state)
