"""Leases of ports: as they are asked for, and how they outlive a restart and a reload.

They are kept in the service manager's store from the moment they begin, so that a crash keeps them
as well. Without a service manager they end with the process.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from gatewayd.control.varlink import SERVICE, Call, CallError, argument
from gatewayd.port.lease import Lease
from gatewayd.service.gateway import Gateway, Served, now
from gatewayd.service.status import plain_lease
from gatewayd.service.store import Store

LONGEST_S: Final = 7 * 86400
TEXT_LENGTH: Final = 64
_MALFORMED: Final = (KeyError, ValueError, TypeError, AttributeError, OverflowError)


def printable(text: str) -> str:
    """What a caller says of somebody, as it may stand in a log and on a terminal."""
    return "".join(one for one in text if one.isprintable())[:TEXT_LENGTH]


def asked_lease(call: Call) -> tuple[Lease, float]:
    """The lease that a call of `Lease` asks for, and its seconds. Raises CallError."""
    holder = printable(argument(call, "holder", str)).strip()
    seconds = argument(call, "seconds", int)
    note = printable(argument(call, "note", str, "")).strip()
    host = argument(call, "host", str, "")
    if not holder:
        raise _invalid("holder")
    if not 0 < seconds <= LONGEST_S:
        raise _invalid("seconds")
    import ipaddress  # not in the memory of who keeps no port

    try:
        host = str(ipaddress.ip_address(host)) if host else ""
    except ValueError:
        raise _invalid("host") from None
    return Lease(holder, now() + timedelta(seconds=seconds), note, host), seconds


def _invalid(name: str) -> CallError:
    return CallError(f"{SERVICE}.InvalidParameter", {"parameter": name})


class Leases:
    """Those of all ports, by name, whatever becomes of the ports meanwhile."""

    def __init__(self, gateway: Gateway, store: Store) -> None:
        self._gateway = gateway
        self._store = store
        self._leases: dict[str, Lease] = {}
        gateway.observers.append(self._arranged)

    def restore(self, text: bytes) -> None:
        """Go on with those of another process, if there are any; nothing of what is not
        understood."""
        try:
            for name, plain in json.loads(text).items() if text else ():
                until = datetime.fromisoformat(plain["until"])
                if until > now():
                    self._leases[str(name)] = _lease(plain, until)
        except _MALFORMED:
            self._leases.clear()
        self._arranged()

    def _arranged(self) -> None:
        """Ports came or went: each has the lease of its name."""
        served = self._gateway.served
        self._leases = {name: lease for name, lease in self._leases.items() if name in served}
        for name, one in served.items():
            clients = one.port.clients
            clients.on_lease = partial(self._changed, one)
            lease = self._leases.get(name)
            if lease is not None and clients.lease is None:
                clients.let(lease, max((lease.until - now()).total_seconds(), 0.0))

    def _changed(self, served: Served) -> None:
        if self._gateway.served.get(served.port.name) is not served:
            # A port that went; one of its name may be there again.
            return
        lease = served.port.clients.lease
        if lease is None:
            self._leases.pop(served.port.name, None)
        else:
            self._leases[served.port.name] = lease
        plain = {name: plain_lease(one) for name, one in self._leases.items()}
        self._store.leases(json.dumps(plain).encode() if plain else b"")


def _lease(plain: dict[str, Any], until: datetime) -> Lease:
    return Lease(str(plain["holder"]), until, str(plain["note"]), str(plain["host"]))
