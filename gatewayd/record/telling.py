"""What happened at a port, in the words and packets of its record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gatewayd.line.model import INPUT_SIGNALS, OUTPUT_SIGNALS, LineErrors, Signal
from gatewayd.port.event import EventKind, PortEvent
from gatewayd.record.pcapng import Event
from gatewayd.value import names

_ERRORS: Final = {
    "break_": (Event.BREAK, "break received", "breaks received"),
    "framing": (Event.FRAMING_ERROR, "framing error", "framing errors"),
    "parity": (Event.PARITY_ERROR, "parity error", "parity errors"),
    "overrun": (Event.OVERFLOW, "overrun", "overruns"),
    "buffer_overrun": (Event.OVERFLOW, "buffer overrun", "buffer overruns"),
}
_DEEDS: Final = {
    EventKind.SESSION_OPENED: "took the port",
    EventKind.SESSION_CLOSED: "left",
    EventKind.SESSION_REFUSED: "was refused",
    EventKind.TAKEN_OVER: "lost the port",
}
_HEADS: Final = {EventKind.DEVICE: "device ", EventKind.SETTINGS: "line set to "}


@dataclass(frozen=True, slots=True)
class Told:
    """One thing for the record. `signals` are the modem lines from then on."""

    text: str
    event: Event = Event.STATUS_CHANGE
    outbound: bool = False
    signals: Signal | None = None


class Teller:
    """Knows what was told last of one port."""

    def __init__(self, signals: Signal, errors: LineErrors) -> None:
        self.signals = signals
        self._errors: LineErrors = errors

    def told(self, event: PortEvent, outputs: Signal, counts: LineErrors) -> Iterator[Told]:
        """What `event` means; `outputs` are DTR and RTS now, `counts` the running errors."""
        match event.kind:
            case EventKind.SIGNALS:
                yield from self._signals(event.signals or Signal.NONE, outputs)
            case EventKind.ERRORS if event.errors is not None:
                yield from self._grown(event.errors)
            case EventKind.BREAK_SENT:
                yield Told(event.text or "break sent", Event.BREAK, outbound=True)
            case EventKind.DISCARDED:
                yield Told(event.text, Event.DATA_LOST, outbound=True)
            case kind if kind in _DEEDS:
                who = f"{event.name} {event.peer}".lstrip()
                # Where there is no reason the text says who it was once more.
                why = (
                    f": {event.text}" if event.text and not event.text.endswith(event.peer) else ""
                )
                yield Told(f"{who} {_DEEDS[kind]} ({event.face}){why}")
            case kind:
                if kind is EventKind.SETTINGS:
                    # The line may be another one: its driver has counted before it was ours.
                    self._errors = counts
                if event.text:
                    yield Told(_HEADS.get(kind, "") + event.text)

    def _signals(self, now: Signal, outputs: Signal) -> Iterator[Told]:
        after = (now & INPUT_SIGNALS) | (outputs & OUTPUT_SIGNALS)
        changed, self.signals = after ^ self.signals, after
        words = [
            f"{one.name} {'on' if one in after else 'off'}" for one in Signal if one in changed
        ]
        if words:
            yield Told(", ".join(words), signals=after)

    def _grown(self, now: LineErrors) -> Iterator[Told]:
        before, self._errors = self._errors, now
        for name in names(LineErrors):
            grown = getattr(now, name) - getattr(before, name)
            if grown > 0:
                event, one, many = _ERRORS[name]
                yield Told(one if grown == 1 else f"{grown} {many}", event)
