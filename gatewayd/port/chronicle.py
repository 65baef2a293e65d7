"""What happens at a port, told to the log and to whoever looks on."""

from __future__ import annotations

from typing import Any, Final

from gatewayd.config.schema import PortConfig
from gatewayd.line.model import LineErrors, LineSettings, Signal
from gatewayd.log import Happening, note
from gatewayd.port.event import EventKind, PortEvent
from gatewayd.port.holder import Holder
from gatewayd.port.hub import Hub

_HAPPENINGS: Final = {
    EventKind.SESSION_OPENED: (Happening.SESSION_OPENED, "%s session from %s"),
    EventKind.SESSION_CLOSED: (Happening.SESSION_CLOSED, "%s session from %s over"),
    EventKind.SESSION_REFUSED: (Happening.SESSION_REFUSED, "%s client %s refused"),
    EventKind.TAKEN_OVER: (Happening.SESSION_TAKEN_OVER, "%s session of %s taken over"),
}


class Chronicle:
    """Of one port."""

    def __init__(self, config: PortConfig, hub: Hub) -> None:
        self._name = config.name
        self._device = str(config.device)
        self._hub = hub
        self._reported_limits = False

    def session(self, kind: EventKind, session: Holder, more: str = "", text: str = "") -> None:
        """Something of a client; `more` is added in the log, `text` what else is to be said."""
        happening, words = _HAPPENINGS[kind]
        name, peer = self._name, session.peername
        words = f"{words}%s%s"
        tail = f": {text}" if text else ""
        arguments = (session.face, peer, more, tail)
        note(happening, words, *arguments, port=name, session=session.number, peer=peer)
        if self._hub.taps:
            text = text or f"{session.face} client {peer}"
            self._hub.happened(PortEvent(kind, text, peer=peer, face=session.face))

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

    def discarded(self, count: int) -> None:
        """So many bytes for the device went nowhere."""
        self._note(Happening.LINE_DISCARDED, "%d bytes for the device were discarded", count)
        text = f"{count} bytes for the device were discarded"
        self._tell(EventKind.DISCARDED, text, count=count)

    def settings(self, settings: LineSettings) -> None:
        """The line was set."""
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
