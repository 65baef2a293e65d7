"""What happens at a port, for whoever looks on."""

from __future__ import annotations

import enum

from gatewayd.line.model import LineErrors, LineSettings, Signal
from gatewayd.value import Value


class EventKind(enum.StrEnum):
    """The kinds; the values are the words of records, of JSON and of metrics."""

    SESSION_OPENED = "session-opened"
    SESSION_CLOSED = "session-closed"
    SESSION_REFUSED = "session-refused"
    TAKEN_OVER = "taken-over"
    WATCHER_CAME = "watcher-came"
    WATCHER_LEFT = "watcher-left"
    LEASED = "leased"
    FREED = "freed"
    SETTINGS = "settings"
    SIGNALS = "signals"
    ERRORS = "errors"
    BREAK_SENT = "break-sent"
    DEVICE = "device"
    """The phase changed, see `gatewayd.port.phase`."""
    DISCARDED = "discarded"
    """Bytes for the device that went nowhere."""


class PortEvent(Value):
    """One of them. `text` is for a person; the rest is set where the kind has it."""

    kind: EventKind
    text: str = ""
    peer: str = ""
    """The client's address."""
    name: str = ""
    """What the client calls itself; never trusted."""
    face: str = ""
    settings: LineSettings | None = None
    signals: Signal | None = None
    """The modem lines as they are now."""
    errors: LineErrors | None = None
    """Running counts."""
    count: int = 0
    """Bytes."""
