"""Those who are at a port beside its owner, through a restart.

Who watches goes on watching; who waits for its turn, unread, waits on in the same order.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from gatewayd.config.schema import Face
from gatewayd.net.connection import Connection
from gatewayd.net.entrance import Entrance
from gatewayd.port.holder import Holder
from gatewayd.port.places import Place
from gatewayd.service.gateway import Served
from gatewayd.service.store import Store

Guest = dict[str, Any]


def give(served: Served, store: Store) -> list[Guest]:
    """Hand their connections over; what the next process is to know of them."""
    port = served.port
    at: dict[Holder, tuple[Face, Connection]] = {
        connection.session: (face, connection)
        for face, connection in served.connections()
        if connection.session is not None and connection.can_give
    }
    guests: list[Guest] = []
    for place, clients in (
        # In the order in which the port will be theirs.
        (Place.WATCHING, (*port.clients.heirs, *port.clients.watchers)),
        (Place.WAITING, port.clients.waiting),
    ):
        for session in clients:
            if session not in at:
                continue
            face, connection = at.pop(session)
            guest = {"place": place.value, "face": face.value, **session.snapshot()}
            if place is Place.WAITING:
                if "desk" in guest:
                    # It has been spoken to, and would be anew.
                    continue
                guest |= {"insists": session.insists, "rest": connection.take_rest().hex()}
            guests.append({**guest, "unsent": _give(connection, store, port.name, len(guests))})
    return guests


def _give(connection: Connection, store: Store, port: str, number: int) -> str:
    return connection.give_away(partial(store.guest, port, number)).hex()


def restore(
    guest: Guest, sock: socket.socket, entrance: Callable[[Face], Entrance]
) -> Callable[[], None] | None:
    """Go on with one, by what is returned if it waits: it arrives anew, as soon as the devices are
    looked for. Raises KeyError, ValueError, TypeError and their like for what is none; then the
    socket is closed, or still the caller's."""
    place, face = Place(guest["place"]), Face(guest["face"])
    unsent = bytes.fromhex(guest["unsent"])
    if place is Place.WAITING:
        rest = bytes.fromhex(guest.get("rest", ""))
        return partial(entrance(face).readmit, sock, guest, unsent, rest)
    if place is not Place.WATCHING:
        raise ValueError(f"a guest is {place.value}")
    entrance(face).inherit(sock, guest, unsent)
    return None
