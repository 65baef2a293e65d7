"""What happens at a port, told to the log and to whoever looks on."""

from __future__ import annotations

from typing import Any, Final

from gatewayd.config.schema import PortConfig
from gatewayd.line.api import Clock
from gatewayd.line.model import LineErrors, LineSettings, Signal
from gatewayd.log import Happening, note
from gatewayd.port.event import EventKind, PortEvent
from gatewayd.port.holder import Holder
from gatewayd.port.hub import Hub
from gatewayd.port.lease import Lease

FOLD_S: Final = 10.0
"""For how long the refusals of one host are one entry in the log."""

_HAPPENINGS: Final = {
    EventKind.SESSION_OPENED: (Happening.SESSION_OPENED, "%s session from %s"),
    EventKind.SESSION_CLOSED: (Happening.SESSION_CLOSED, "%s session from %s over"),
    EventKind.SESSION_REFUSED: (Happening.SESSION_REFUSED, "%s client %s refused"),
    EventKind.WATCHER_CAME: (Happening.WATCHER_CAME, "%s client %s watches"),
    EventKind.WATCHER_LEFT: (Happening.WATCHER_LEFT, "%s client %s watches no more"),
    EventKind.TAKEN_OVER: (Happening.SESSION_TAKEN_OVER, "%s session of %s taken over"),
}


class Chronicle:
    """Of one port."""

    def __init__(self, config: PortConfig, hub: Hub, clock: Clock) -> None:
        self._name = config.name
        self._device = str(config.device)
        self._hub = hub
        self._clock = clock
        self._reported_limits = False
        self._folded: dict[str, int] = {}
        """By host, how many refusals were not logged."""

    def session(
        self,
        kind: EventKind,
        session: Holder,
        more: str = "",
        text: str = "",
        *,
        logged: bool = True,
    ) -> None:
        """Something of a client; `more` is added in the log, `text` what else is to be said."""
        happening, words = _HAPPENINGS[kind]
        name, peer = self._name, session.peername
        words = f"{words}%s%s"
        tail = f": {text}" if text else ""
        arguments = (session.face, peer, more, tail)
        if logged:
            note(happening, words, *arguments, port=name, session=session.number, peer=peer)
        if self._hub.taps:
            text = text or f"{session.face} client {peer}"
            self._hub.happened(
                PortEvent(kind, text, peer=peer, name=session.name, face=session.face)
            )

    def refused(self, session: Holder, reason: str) -> None:
        """A client was turned away. Logged with the reason, for each host once in `FOLD_S`."""
        host = session.peername.rpartition(":")[0]
        logged = host in self._folded
        if logged:
            self._folded[host] += 1
        else:
            self._folded[host] = 0
            self._clock.call_later(FOLD_S, self._unfold, host)
        self.session(EventKind.SESSION_REFUSED, session, text=reason, logged=not logged)

    def _unfold(self, host: str) -> None:
        count = self._folded.pop(host)
        if count:
            self._note(Happening.SESSION_REFUSED, "%d more clients of %s refused", count, host)

    def leased(self, lease: Lease | None, before: Lease | None) -> None:
        """The port is kept for somebody from now on, or for nobody any more."""
        if lease is not None:
            self._note(Happening.LEASED, "%s", lease)
            self._tell(EventKind.LEASED, str(lease), name=lease.holder)
        elif before is not None:
            self._note(Happening.FREED, "the lease of %s is over", before.holder)
            self._tell(EventKind.FREED, f"the lease of {before.holder} is over", name=before.holder)

    def device(self, phase: str, cause: str) -> None:
        """The device is in another phase."""
        self._tell(EventKind.DEVICE, f"{phase}: {cause}" if cause else phase)

    def lost(self, why: str) -> None:
        """The open device went away."""
        self._note(Happening.DEVICE_LOST, "device lost: %s", why)

    def lacks(self, what: list[str]) -> None:
        """The line lacks something; told once."""
        if what and not self._reported_limits:
            self._note(Happening.LINE_LIMITED, "the line has no %s", ", no ".join(what))
        self._reported_limits = True

    def refuses(self, what: str, error: OSError) -> None:
        """The line cannot do something now."""
        self._note(Happening.LINE_LIMITED, "%s failed: %s", what, error.strerror or error)

    def discarded(self, count: int) -> None:
        """So many bytes for the device went nowhere."""
        self._note(Happening.LINE_DISCARDED, "%d bytes for the device were discarded", count)
        text = f"{count} bytes for the device were discarded"
        self._tell(EventKind.DISCARDED, text, count=count)

    def settings(self, settings: LineSettings) -> None:
        """The line was set."""
        if self._hub.taps:
            self._tell(EventKind.SETTINGS, str(settings), settings=settings)

    def signals(self, signals: Signal) -> None:
        """A modem line changed, on the device's side or ours."""
        self._tell(EventKind.SIGNALS, signals=signals)

    def errors(self, errors: LineErrors) -> None:
        """The receiver found errors."""
        self._tell(EventKind.ERRORS, errors=errors)

    def breaks(self) -> None:
        """A break was begun on the line."""
        self._tell(EventKind.BREAK_SENT)

    def _tell(self, kind: EventKind, text: str = "", **values: Any) -> None:
        if self._hub.taps:
            self._hub.happened(PortEvent(kind, text, **values))

    def _note(self, happening: Happening, message: str, *args: object) -> None:
        note(happening, message, *args, port=self._name, device=self._device)
