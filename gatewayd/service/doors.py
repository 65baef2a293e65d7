"""The ways in that doors ask for, and the keys that are in force: read before they are needed, and
again at each reload."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from gatewayd.config.schema import Config, Door, Tls
from gatewayd.log import Happening, note
from gatewayd.net.arrival import Arrival, MakeStep, Step
from gatewayd.service.aside import aside

if TYPE_CHECKING:
    from gatewayd.tls.identity import Identity

READING_S: Final = 20.0
"""How long the files may take: they may be on a network's disk."""


class Doors:
    """Nothing of TLS is in memory while the configuration names no keys."""

    def __init__(self) -> None:
        self._identity: Identity | None = None
        self._told = ""

    def way(self, door: Door) -> Sequence[MakeStep]:
        """The steps that a client passes at a door."""
        return () if door.tls is Tls.NONE else (partial(self._secured, door),)

    def _secured(self, door: Door, arrival: Arrival) -> Step:
        from gatewayd.tls.securing import Securing
        from gatewayd.tls.starting import Starting

        assert self._identity is not None, "a configuration with TLS has keys"
        if door.tls is Tls.IMPLICIT:
            return Securing(arrival, self._identity, door.client_certificate)
        must = door.tls is Tls.STARTTLS
        return Starting(arrival, self._identity, door.client_certificate, must=must)

    async def read(self, config: Config) -> Identity | None:
        """The keys that a configuration names. Raises GatewayError."""
        if not config.tls:
            return None
        from gatewayd.tls.identity import load

        return await aside(partial(load, config.tls), READING_S)

    @contextlib.contextmanager
    def trying(self, identity: Identity | None) -> Iterator[None]:
        """Use other keys for the connections to come; the former ones again when it fails."""
        former = self._identity
        if identity is not None:
            self._identity = identity
        try:
            yield
        except BaseException:
            self._identity = former
            raise
        # If there are none any more, nobody comes in now who needs them.
        self._identity = identity
        self._tell(identity)

    def _tell(self, identity: Identity | None) -> None:
        fingerprint = identity.fingerprint if identity else ""
        if identity and (wrong := identity.validity()):
            note(Happening.KEYS_CHANGED, "%s", wrong, level=logging.WARNING)
        if fingerprint and fingerprint != self._told:
            note(Happening.KEYS_CHANGED, "the certificate in force is %s", fingerprint)
        self._told = fingerprint
