"""What is told in metrics, from an answer of `Status` of the control interface.

Names of ports are labels; addresses of clients never are: each new one would be a series of its own
for as long as the scraper keeps any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from gatewayd.metrics.text import Family, Kind, labels

Port = Mapping[str, Any]

STATES: Final = ("absent", "opening", "ready", "busy", "failed", "stuck")
SIGNALS: Final = ("DTR", "RTS", "CTS", "DSR", "RI", "CD")
ERRORS: Final = {
    "parity": "parity_errors",
    "framing": "framing_errors",
    "overrun": "overruns",
    "buffer_overrun": "buffer_overruns",
    "break": "breaks",
}
"""Values of the label `kind`, and what they are called in `Status`."""
_BYTES: Final = {
    "received": "Bytes from the device.",
    "sent": "Bytes that the device's line has taken.",
    "received_discarded": "Bytes from the device while nobody held the port.",
    "sent_discarded": "Bytes for the device that it did not take.",
    "missed": "Bytes that clients who watch did not take.",
}
_EVENTS: Final = {
    "sessions": "Clients that came to hold the port.",
    "refused": "Clients that were turned away.",
    "takeovers": "How often a client lost the port to another one.",
    "losses": "How often the device went away.",
}


def families(status: Mapping[str, Any]) -> Iterator[Family]:
    """All of what `status` says."""
    ports: Sequence[Port] = status["ports"]
    named = [(labels({"port": port["name"]}), port) for port in ports]
    version = labels({"version": status["version"]})
    yield Family("gatewayd_build", Kind.INFO, "The version that runs.", [(version, 1)])
    yield Family(
        "gatewayd_start_time_seconds",
        Kind.GAUGE,
        "When the daemon started, since 1970.",
        [("", _seconds(status["since"]))],
        unit="seconds",
    )
    yield Family(
        "gatewayd_port",
        Kind.INFO,
        "The device of the port and what is connected, as configured.",
        [(labels({key: port[field] for key, field in _PORT_INFO.items()}), 1) for port in ports],
    )
    yield from _states(named)
    for key, text in _BYTES.items():
        samples = [(port_label, port[key]) for port_label, port in named]
        yield Family(f"gatewayd_port_{key}_bytes", Kind.COUNTER, text, samples, unit="bytes")
    for key, text in _EVENTS.items():
        samples = [(port_label, port[key]) for port_label, port in named]
        yield Family(f"gatewayd_port_{key}", Kind.COUNTER, text, samples)
    yield Family(
        "gatewayd_port_line_errors",
        Kind.COUNTER,
        "What the UART found wrong with what it received, and characters that were lost.",
        [
            (f'{port_label},kind="{kind}"', port[key])
            for port_label, port in named
            for kind, key in ERRORS.items()
        ],
    )
    yield Family(
        "gatewayd_port_last_received_timestamp_seconds",
        Kind.GAUGE,
        "When the device said something last, since 1970.",
        [
            (port_label, _seconds(port["last_received"]))
            for port_label, port in named
            if port["last_received"] is not None
        ],
        unit="seconds",
    )
    yield from _records(named)


_PORT_INFO: Final = {"port": "name", "device": "device", "description": "description"}


def _states(named: Sequence[tuple[str, Port]]) -> Iterator[Family]:
    yield Family(
        "gatewayd_port_state",
        Kind.GAUGE,
        "1 for the state that the device is in, 0 for the others.",
        [
            (f'{port_label},state="{state}"', int(state == port["state"]))
            for port_label, port in named
            for state in STATES
        ],
    )
    yield _gauge(
        named, "held", "Whether a client holds the port.", lambda one: bool(one["session"])
    )
    # `gatewayd metrics` may ask a daemon of an older version, which does not tell of them.
    watched = [(port_label, port) for port_label, port in named if "watchers" in port]
    yield _gauge(watched, "watchers", "Clients that watch.", lambda one: len(one["watchers"]))
    yield Family(
        "gatewayd_port_lease_expires_timestamp_seconds",
        Kind.GAUGE,
        "Until when the port is kept for somebody, since 1970.",
        [
            (port_label, _seconds(port["lease"]["until"]))
            for port_label, port in named
            if port.get("lease") is not None
        ],
        unit="seconds",
    )
    yield Family(
        "gatewayd_port_signal",
        Kind.GAUGE,
        "Whether a modem line is on; only of lines that have them.",
        [
            (f'{port_label},signal="{signal}"', int(signal in port["signals"]))
            for port_label, port in named
            if port["signals"] is not None
            for signal in SIGNALS
        ],
    )


def _gauge(
    named: Sequence[tuple[str, Port]], name: str, text: str, value: Callable[[Port], float]
) -> Family:
    samples = [(port_label, int(value(port))) for port_label, port in named]
    return Family(f"gatewayd_port_{name}", Kind.GAUGE, text, samples)


def _records(named: Sequence[tuple[str, Port]]) -> Iterator[Family]:
    recorded = [(port_label, one) for port_label, one in named if one["record"] is not None]
    yield _gauge(
        recorded,
        "recording",
        "Whether what passes can be recorded now; only of ports that are to be.",
        lambda one: not one["record"]["cause"],
    )
    yield Family(
        "gatewayd_port_unrecorded_bytes",
        Kind.COUNTER,
        "Bytes of the line that are missing in the record.",
        [(port_label, port["record"]["lost"]) for port_label, port in recorded],
        unit="bytes",
    )


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()
