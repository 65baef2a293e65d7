"""What the gateway tells of itself: one snapshot of plain values for everybody who asks."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from gatewayd import __version__
from gatewayd.line.model import Signal
from gatewayd.port.holder import Holder
from gatewayd.port.lease import Lease
from gatewayd.port.phase import Phase
from gatewayd.port.port import Port
from gatewayd.service.gateway import Gateway, Served, now

if TYPE_CHECKING:
    from gatewayd.record.recorder import Record

PIECE: Final = 16
"""So many ports are looked at before others have their turn in the loop."""


async def answer(gateway: Gateway) -> dict[str, Any]:
    """An answer of `Status` of the control interface."""
    return {**about(gateway), "ports": await ports(gateway)}


def about(gateway: Gateway) -> dict[str, Any]:
    """What an answer says of the gateway itself."""
    return {"version": __version__, "since": gateway.since.isoformat(timespec="seconds")}


async def ports(gateway: Gateway) -> list[dict[str, Any]]:
    """All ports, as `type Port` of the control interface has them."""
    found: list[dict[str, Any]] = []
    for served in tuple(gateway.served.values()):
        found.append(describe(served))
        if len(found) % PIECE == 0:
            await asyncio.sleep(0)
    return found


def summary(gateway: Gateway) -> str:
    """One line for the service manager: `3 ports, 1 session, absent: psu1`."""
    all_ports = [served.port for served in gateway.served.values()]
    sessions = sum(port.owner is not None for port in all_ports)
    parts = [_count(len(all_ports), "port"), _count(sessions, "session")]
    for phase in (Phase.ABSENT, Phase.BUSY, Phase.FAILED, Phase.STUCK):
        names = [port.name for port in all_ports if port.phase is phase]
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            parts.append(f"{phase.value}: {' '.join(names[:5])}{more}")
    return ", ".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def signal_names(signals: Signal) -> list[str]:
    """The lines that are on, by their names: DTR, RTS, CTS, DSR, RI, CD."""
    return [str(signal.name) for signal in signals]


def describe(served: Served) -> dict[str, Any]:
    """One port, as `type Port` of the control interface has it."""
    port, counters = served.port, served.port.counters
    # A line that takes its time tells what it last saw.
    port.settling.refresh()
    errors = port.settling.errors()
    return {
        "name": port.name,
        "description": port.config.description,
        "device": str(port.config.device),
        "state": port.phase.value,
        "cause": port.cause,
        "state_since": served.state_since.isoformat(timespec="seconds"),
        "line": str(port.settling.settings()),
        "signals": _signals(port),
        "listeners": [f"{listener.face.value} {listener.address}" for listener in served.listeners],
        "session": _session(port.owner, port) if port.owner is not None else None,
        "watchers": [_watcher(one) for one in port.clients.watchers],
        "lease": plain_lease(port.clients.lease) if port.clients.lease is not None else None,
        "sessions": counters.sessions,
        "refused": counters.refused,
        "takeovers": counters.takeovers,
        "received": counters.from_device,
        "sent": port.outbox.taken,
        "last_received": _heard(port),
        "received_discarded": counters.discarded_from_device,
        "sent_discarded": port.leftover.discarded,
        "missed": counters.missed + sum(one.missed for one in port.clients.watchers),
        "losses": counters.losses,
        "lost_at": served.lost_at.isoformat(timespec="seconds") if served.lost_at else None,
        "breaks": errors.break_,
        "framing_errors": errors.framing,
        "parity_errors": errors.parity,
        "overruns": errors.overrun,
        "buffer_overruns": errors.buffer_overrun,
        "record": _record(served.record) if served.record is not None else None,
    }


def _heard(port: Port) -> str | None:
    if port.heard_at is None:
        return None
    ago = timedelta(seconds=port.clock.time() - port.heard_at)
    return (now() - ago).isoformat(timespec="milliseconds")


def _record(record: Record) -> dict[str, Any]:
    return {"directory": record.directory, "cause": record.cause, "lost": record.lost}


def _signals(port: Port) -> list[str] | None:
    line = port.line
    if line is None or not line.capabilities.modem_lines:
        return None
    return signal_names(line.signals())


def plain_lease(lease: Lease) -> dict[str, Any]:
    """A lease, as `type Tenancy` of the control interface has it."""
    return {
        "holder": lease.holder,
        "until": lease.until.isoformat(timespec="seconds"),
        "note": lease.note,
        "host": lease.host,
    }


def _watcher(session: Holder) -> dict[str, Any]:
    return {
        "number": session.number,
        "face": session.face,
        "peername": session.peername,
        "name": session.name,
        "proven": bool(session.proof.name),
        "since": session.since.isoformat(timespec="seconds"),
        "bytes_out": session.bytes_out,
        "missed": session.missed,
    }


def _session(session: Holder, port: Port) -> dict[str, Any]:
    return {
        "number": session.number,
        "face": session.face,
        "peer": session.peername,
        "name": session.name,
        "proven": bool(session.proof.name),
        "tls": session.proof.tls,
        "since": session.since.isoformat(timespec="seconds"),
        "idle": int(port.clock.time() - session.heard),
        "leaving": session.leaving,
        "bytes_in": session.bytes_in,
        "bytes_out": session.bytes_out,
    }


def find_port(gateway: Gateway, name: str) -> Port | None:
    """The port of that name."""
    served = gateway.served.get(name)
    return served.port if served is not None else None
