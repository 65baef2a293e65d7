"""What gatewayd says in its log: one fixed MESSAGE_ID for each kind of event, and fields beside it.

Modules log through `note`; where the records go (journal fields, readable lines) is decided by the
service's handlers.
"""

from __future__ import annotations

import enum
import logging
import time
from typing import Any, Final

LOGGER = logging.getLogger("gatewayd")
_LIKE_ALL: Final[dict[str, Any]] = {
    "name": LOGGER.name,
    "pathname": "",
    "filename": "",
    "module": "",
    "lineno": 0,
    "funcName": None,
    "exc_text": None,
    "stack_info": None,
    "relativeCreated": 0.0,
    "thread": None,
    "threadName": None,
    "processName": None,
    "process": None,
}
"""What `logging` asks of a record, and all of ours have alike."""


class Happening(enum.Enum):
    """A kind of log entry; the value is its MESSAGE_ID, see systemd.journal-fields(7)."""

    SERVICE_READY = "ca087a66e0b54c14acf3b702beb6c1e6"
    """The gateway serves its ports."""
    SERVICE_STOPPING = "fc514e9541574ffe95eb9f0ffe46adc1"
    """The gateway was asked to stop."""
    LISTENING = "a125aec0793246cb8a19ceb65318f62f"
    """A port, or the metrics, are served at an address."""
    EXPOSED = "e00c6757202e40898262449ea35dba9a"
    """Other machines can reach a port, or the metrics, without encryption or authentication."""
    DEVICE_ABSENT = "415c8aa43919469b90470d3b2a338cfe"
    """The device of a port is not there."""
    DEVICE_OPENING = "26a1bd858c8d4ea0aa7ec5bee4107715"
    """The device of a port is being opened."""
    DEVICE_READY = "5e5a5596bffa463abfbba39692cb4bc7"
    """The device of a port is open."""
    DEVICE_BUSY = "503aec888d874bf5a4df70c0d831717b"
    """Somebody else holds the device of a port."""
    DEVICE_FAILED = "6564e04d517c4b91888cb1492b4dfd5b"
    """The device of a port cannot be opened."""
    DEVICE_LOST = "8b337ceea7c2472a852c6109515061a9"
    """The device of a port went away while it was open."""
    LINE_LIMITED = "6f39d44eeace452d99308794f92c8cec"
    """The line lacks something: modem lines, parity, error counts; or its driver refuses a call."""
    LINE_DISCARDED = "46f16fcb6d1746d3abf91c2f869aef53"
    """Bytes for the line were dropped."""
    SESSION_OPENED = "d6c4b5a0fab9412d87b6becc5c782f50"
    """A client holds a port."""
    SESSION_CLOSED = "40f0ec72aa714e668e71e753b38becb2"
    """A client left a port."""
    SESSION_REFUSED = "39d69df7828e4b9395763b2ebb51c279"
    """A client was turned away."""
    SESSION_TAKEN_OVER = "c8c674c009d846ff9c2f1cebacf8aab7"
    """A client was replaced by a newcomer."""
    WATCHER_CAME = "70dd44532509c40bed87a3e05ce616ec"
    """A client watches a port."""
    WATCHER_LEFT = "bc5495d202b425287731b89debc7f2a8"
    """A client watches a port no more."""
    LEASED = "68fb00471c2016019c72a61d14d45c49"
    """A port is kept for somebody."""
    FREED = "918e4eb809a98766eae3bf8cd4522a72"
    """A port is kept for nobody any more."""
    PROTOCOL_VIOLATION = "24ea46d1090d46099dd2ab816de8920a"
    """A client sent malformed Telnet or Com Port Control."""
    LINE_SET = "5e283e890c774450856322c8a9e04c92"
    """A client changed the settings of a line."""
    CONFIG_REJECTED = "6d3ba439d10247afbeb58279dca615d9"
    """A configuration was refused."""
    CONFIG_RELOADED = "5f8dc342a65f494fb2bd021917dfd100"
    """A new configuration is in force."""
    CONTROL_CALLED = "943722204eb14a0c9d6478f97bcb67b4"
    """Somebody used the control socket."""
    RECORD_STOPPED = "596552eec46a4e76aaa5282adaa0ed81"
    """What passes over a line cannot be recorded."""
    RECORD_GAP = "5cc476ded96d4c84955c45c8e0ef344e"
    """A record goes on, and something is missing in it."""
    ADVERTISING = "5d0bdf0ed82a4bb18148fac0f864389a"
    """Ports are told of on the network."""
    ADVERTISING_FAILED = "21c5cbf706e74b0b9d8e46a7836b157c"
    """Ports cannot be told of on the network, or not all."""
    PAGE = "8d6a4c21f0b94e5eb1c7a35d90f2e814"
    """The page listens, let somebody in or type, or refused somebody."""
    ADDRESS_REFUSED = "bd86f395cac84d929b68b896770fe7f1"
    """A client came from an address that may not come."""
    CROWDED = "3144aa5040ec444689364686329afe95"
    """Clients were turned away because too many came in a second."""
    HANDSHAKE_FAILED = "7dfc7d8ad00445a288ae7a2cb14b4b19"
    """A client could not be agreed with on TLS."""
    LOGIN_FAILED = "130734c30c334219a8ff3e9e41768829"
    """Somebody could not log in."""
    LET_IN = "a47e96a6a4ee41da964d50d36ba61d10"
    """A client has proved what its address asks for."""
    KEYS_CHANGED = "1798ecd9b2d94dcc9ded1594e326cead"
    """Other certificates are in force."""
    FAULT = "44807195e30f44b0b8a2c7dfce2c3b7e"
    """Something failed inside the gateway."""


class Record(logging.LogRecord):
    """An entry of ours. It tells no file and line, for which logging's own takes most of its time:
    the happening says more."""

    def __init__(self, level: int, message: str, args: tuple[object, ...], **more: object) -> None:
        """`more` are attributes."""
        now = time.time()
        self.__dict__.update(
            _LIKE_ALL,
            levelno=level,
            levelname=logging.getLevelName(level),
            msg=message,
            args=args,
            created=now,
            msecs=now % 1 * 1000,
            **more,
        )


def note(
    happening: Happening,
    message: str,
    *args: object,
    level: int = logging.INFO,
    port: str | None = None,
    session: int | None = None,
    peer: str | None = None,
    device: str | None = None,
    exc_info: BaseException | None = None,
) -> None:
    """Log `message % args` as a `happening`; the record carries it and the other fields.

    Fields: `port` is the name in the configuration, `session` the number of the connection, `peer`
    its address, `device` the path of the tty. Attributes of the record are named `happening`,
    `gatewayd_port`, `gatewayd_session`, `gatewayd_peer`, `gatewayd_device`.
    """
    if LOGGER.isEnabledFor(level):
        record = Record(
            level,
            message,
            args,
            exc_info=(type(exc_info), exc_info, exc_info.__traceback__) if exc_info else None,
            happening=happening,
            gatewayd_port=port,
            gatewayd_session=session,
            gatewayd_peer=peer,
            gatewayd_device=device,
        )
        LOGGER.handle(record)
