"""What a port's line should be like, whatever its device is doing.

The one owner of wanted settings, of DTR and RTS with their policies, and of break. While there is a
line they are the line's; while there is none they are remembered for the one that comes, and
`reconcile` makes that so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gatewayd.config.schema import BetweenSessions, PortConfig
from gatewayd.line.api import Line
from gatewayd.line.model import (
    OUTPUT_SIGNALS,
    LineErrors,
    LineSettings,
    Purge,
    Signal,
    SignalPolicies,
    SignalPolicy,
)
from gatewayd.line.pending import Pending, in_turn
from gatewayd.port.absent import AbsentLine
from gatewayd.typed import Protocol


class Witness(Protocol):
    """Is told what was done to a line that is there."""

    def settings(self, settings: LineSettings) -> None:
        """It was set."""

    def signals(self, signals: Signal) -> None:
        """DTR or RTS was set."""

    def breaks(self) -> None:
        """A break was begun."""


class Settling:
    """The line of a port, present or not, as `gatewayd.comport.access.LineControl` has it."""

    def __init__(self, config: PortConfig, witness: Witness) -> None:
        self.line: Line | None = None
        self.held = False
        """Whether a client has the line."""
        self.window = config.line.unsent_limit
        """Bytes that may wait for the UART at its speed."""
        self.breaking = False
        """Whether a client holds a break."""
        self._config = config
        self._governs = _governs(config.signals)
        self._witness = witness
        self._absent = AbsentLine(config.line)
        self._control: Line | AbsentLine = self._absent
        """The line, or what stands for it."""
        self._reconciled = False
        """Whether the line is what it should be, and not what it was when it was opened."""
        self._told: LineSettings | None = None
        """What the witness takes the line to be set to."""
        self._before: list[LineSettings] = []
        """What the file said before it said otherwise, which the line has yet to follow."""

    @property
    def wanted(self) -> LineSettings:
        """What a device is to be opened with: the client's settings if there is a client."""
        return self._absent.settings()

    @property
    def client_signals(self) -> Signal:
        """Those of DTR and RTS over which a client decides."""
        return self._governed(SignalPolicy.CLIENT)

    @property
    def policies(self) -> SignalPolicies:
        """What a device is to be opened with, as a line knows it."""
        wanted = self._config.signals
        session = SignalPolicy.ON if self.held else SignalPolicy.OFF
        return SignalPolicies(
            **{
                name: session if policy is SignalPolicy.SESSION else policy
                for name, policy in (("dtr", wanted.dtr), ("rts", wanted.rts))
            }
        )

    def _governed(self, policy: SignalPolicy) -> Signal:
        return self._governs.get(policy, Signal.NONE)

    # ---- LineControl, for the client that has the line

    def settings(self) -> LineSettings:
        """What is in force."""
        return self._control.settings()

    def configure(self, wanted: LineSettings) -> Pending | None:
        """Apply in one step."""
        return _then(self._control.configure(wanted), self._look)

    def _look(self) -> None:
        """The line may have been set."""
        settings = self.line.settings() if self.line is not None else self._told
        if settings is not None and settings != self._told:
            self._told = settings
            self.window = settings.unsent_limit
            self._witness.settings(settings)

    def signals(self) -> Signal:
        """The modem lines as last seen."""
        return self._control.signals()

    def set_signals(self, on: Signal, off: Signal) -> Pending | None:
        """Raise and drop DTR and RTS."""
        return _then(self._control.set_signals(on=on, off=off), self._signals_set)

    def _signals_set(self) -> None:
        if self.line is not None:
            self._witness.signals(self.line.signals())

    def set_break(self, on: bool) -> Pending | None:
        """Hold or release break."""
        self.breaking = on
        return self.pulse_break(on)

    def pulse_break(self, on: bool) -> Pending | None:
        """Hold break or release it for a moment: what was asked for before stays wanted."""
        if on and self.line is not None:
            self._witness.breaks()
        return self._control.set_break(on or self.breaking)

    def errors(self) -> LineErrors:
        """The running counts of the receiver's errors as last seen."""
        return self._control.errors()

    def refresh(self) -> Pending | None:
        """See what the modem lines and the counts are now."""
        return self._control.refresh()

    def unsent(self) -> int:
        """Bytes that have not left."""
        return self._control.unsent()

    def purge(self, which: Purge) -> Pending | None:
        """Throw away what waits in the line."""
        return self._control.purge(which)

    # ---- the device

    def opened(self, line: Line, *, adopted: bool) -> Pending | None:
        """There is a line; `adopted` is that it was never closed, and is set as it should be."""
        self.line = self._control = line
        self._told = None
        self._reconciled = adopted
        begun = self._hold(Signal.NONE, Signal.NONE) if adopted else self.reconcile()
        self._look()
        return begun

    def reconcile(self) -> Pending | None:
        """Make the line, which has just been opened, what it should be."""
        return in_turn(self._reconciling())

    def _reconciling(self) -> Iterator[Pending | None]:
        if self.line is not None and self.line.settings() != self.wanted:
            yield self.configure(self.wanted)
        outputs = self._absent.signals() if self.held else Signal.NONE
        ours = self.client_signals if self.held else Signal.NONE
        yield self._hold(outputs & ours, ours & ~outputs)
        if self.line is not None and self.breaking:
            yield self.pulse_break(True)
        self._reconciled = True

    def _hold(self, on: Signal, off: Signal) -> Pending | None:
        """Set DTR and RTS, those over which nobody else decides, and those of the file."""
        now, session = self.signals(), self._governed(SignalPolicy.SESSION)
        none = Signal.NONE
        on = (on | self._governed(SignalPolicy.ON) | (session if self.held else none)) & ~now
        off = (off | self._governed(SignalPolicy.OFF) | (none if self.held else session)) & now
        return self.set_signals(on=on, off=off) if on or off else None

    def lost(self) -> None:
        """The line is gone. What it was set to is wanted still, if a client counts on that."""
        line, self.line = self.line, None
        self._remember(
            AbsentLine.of(line) if line is not None and self._reconciled else self._absent
        )
        if not self.held:
            self._forget()

    def _remember(self, absent: AbsentLine) -> None:
        """For the line that comes."""
        self._absent = absent
        if self.line is None:
            self._control = absent

    def _forget(self) -> None:
        if self._config.between_sessions is BetweenSessions.RESTORE:
            self._remember(AbsentLine(self._config.line))

    # ---- clients

    def taken(self) -> Pending | None:
        """A client has the line, and all that others sent has left it."""
        return self._move_session_signals(on=True)

    def _move_session_signals(self, *, on: bool) -> Pending | None:
        if not self.hangs_up:
            return None
        moved, none = self._governed(SignalPolicy.SESSION), Signal.NONE
        return self.set_signals(moved if on else none, none if on else moved)

    @property
    def hangs_up(self) -> bool:
        """Whether DTR or RTS tells the device of the end of a session."""
        return SignalPolicy.SESSION in self._governs

    def end_break(self) -> None:
        """Who held a break sends no more: release it, whatever waits for the line."""
        if self.breaking:
            self.set_break(False)

    def left(self) -> Pending | None:
        """Nobody has the line any more, and all that was sent has left it."""
        return in_turn(self._leaving())

    def _leaving(self) -> Iterator[Pending | None]:
        yield self.set_break(False)
        yield self._move_session_signals(on=False)
        if self.line is None:
            self._forget()
        elif self._config.between_sessions is BetweenSessions.RESTORE:
            yield self.configure(self._config.line)

    # ---- the file

    def reload(self, config: PortConfig) -> bool:
        """New settings; return whether the line is to be set to those of the file, in its turn.

        A line that a client has set otherwise keeps that until the client goes.
        """
        before, self._config = self._config, config
        self._governs = _governs(config.signals)
        if config.signals != before.signals:
            self._hold(Signal.NONE, Signal.NONE)
        if config.line == before.line or not self._ours(before.line):
            return False
        self._before.append(before.line)
        return True

    def follow_file(self) -> Pending | None:
        """Set the line to what the file says, unless a client has set it since."""
        before, self._before = self._before, []
        return self.apply_file() if self._ours(*before) else None

    def _ours(self, *before: LineSettings) -> bool:
        """Whether the line is as the file, which said `before`, has it, or is to be."""
        between = not self.held and self._config.between_sessions is BetweenSessions.RESTORE
        return between or self.settings() in before

    def apply_file(self) -> Pending | None:
        """Set the line to what the file says."""
        return self.configure(self._config.line)

    # ---- hand-over to another process

    def restore(self, settings: LineSettings, outputs: Signal, *, held: bool) -> None:
        """Go on with what the line, and DTR and RTS, were set to in another process, where a client
        had it."""
        self.held = held
        self._remember(AbsentLine(settings, outputs & OUTPUT_SIGNALS))
        if not held:
            self._forget()


def _then(pending: Pending | None, callback: Callable[[], None]) -> Pending | None:
    if pending is None:
        callback()
    else:
        pending.then(callback)
    return pending


def _governs(policies: SignalPolicies) -> dict[SignalPolicy, Signal]:
    """DTR and RTS by who decides over them."""
    found = {policies.dtr: Signal.DTR}
    found[policies.rts] = found.get(policies.rts, Signal.NONE) | Signal.RTS
    return found
