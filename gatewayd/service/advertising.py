"""Which ports are told of on the network: those that the configuration wants and whose device is
there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from gatewayd import __version__
from gatewayd.advertise import services
from gatewayd.config.schema import Address, Config, Face, Tls
from gatewayd.log import Happening, note
from gatewayd.port.phase import Phase
from gatewayd.service.gateway import Gateway, Served

if TYPE_CHECKING:
    from gatewayd.advertise.publisher import Publisher
    from gatewayd.advertise.services import Service

SETTLE_S: Final = 0.3
"""What changes within this time is told at once: a device that comes and goes again is not."""
HELD_S: Final = 10.0
"""Whether a port is held is told at most so often."""
GATEWAY: Final = ""
"""The key of the gateway's own advert: no port is called so."""


class Advertising:
    """Sees to the adverts of the ports of a gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._config = Config()
        self._loop = gateway.loop
        self._publisher: Publisher | None = None
        self._told: dict[str, tuple[bool, float]] = {}
        """By port, whether it was held when that was told, and when that was."""
        self._changed: set[str] = set()
        self._due: asyncio.TimerHandle | None = None
        gateway.observers.append(self._arranged)
        gateway.port_observers.append(self._port_changed)

    def follow(self, config: Config) -> None:
        """Tell of what `config` wants."""
        self._config = config
        if not config.advertises:
            self.stop()
        elif self._publisher is None:
            try:
                from gatewayd.advertise.publisher import Publisher
            except ImportError as error:
                text = "adverts need jeepney (%s): apt install python3-jeepney"
                note(Happening.ADVERTISING_FAILED, text, error, level=logging.WARNING)
                return
            self._publisher = Publisher(self._loop, self._running)
            self._publisher.start()
        else:
            self._arranged()

    def stop(self) -> None:
        """Withdraw everything."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._publisher is not None:
            self._publisher.stop()
            self._publisher = None
        self._told.clear()

    def _running(self) -> None:
        self._told.clear()
        self._tell(self._gateway.served)

    def _arranged(self) -> None:
        self._later({GATEWAY, *self._told, *self._gateway.served})

    def _port_changed(self, served: Served) -> None:
        self._later({served.port.name})

    def _later(self, names: set[str], seconds: float = SETTLE_S) -> None:
        if self._publisher is not None and self._publisher.host is not None:
            self._changed |= names
            if self._due is None or self._due.when() > self._loop.time() + seconds:
                if self._due is not None:
                    self._due.cancel()
                self._due = self._loop.call_later(seconds, self._tell_changed)

    def _tell_changed(self) -> None:
        self._due = None
        names, self._changed = self._changed, set()
        self._tell(names)

    def _tell(self, names: Iterable[str]) -> None:
        if self._publisher is None or self._publisher.host is None:
            return
        host = self._publisher.host
        for name in names:
            if name != GATEWAY:
                self._publisher.publish(name, self._of_port(name, host))
        self._publisher.publish(GATEWAY, self._of_gateway(host))

    def _of_port(self, name: str, host: str) -> tuple[Service, ...]:
        served = self._gateway.served.get(name)
        if (
            served is None
            or served.port.phase is not Phase.READY
            or not services.wanted(self._config, served.port.config)
        ):
            self._told.pop(name, None)
            return ()
        return services.of_port(
            served.port.config,
            _listeners(served),
            host,
            device=served.keeper.device,
            held=self._held(name, served.port.owner is not None),
        )

    def _of_gateway(self, host: str) -> tuple[Service, ...]:
        """Its advert, as long as there may be one of a port, now or when its device comes; and the
        desk's."""
        wanted = [
            one
            for one in self._gateway.served.values()
            if services.wanted(self._config, one.port.config)
            and services.reachable(at for _, at in _listeners(one))
        ]
        if not wanted:
            return ()
        txt = [f"version={__version__}", f"ports={len(wanted)}"]
        txt += [f"metrics={at.port}" for at in services.reachable(self._config.metrics)[:1]]
        txt += [f"page={self._config.page}"] if self._config.page else []
        desk = [at for at in self._config.desk if _is_plain(at.door.tls)]
        return services.of_gateway(host, txt), *services.of_desk(desk, host)

    def _held(self, name: str, held: bool) -> bool:
        """What to tell of whether the port is held, now or in a while."""
        told, since = self._told.get(name, (held, -HELD_S))
        wait = since + HELD_S - self._loop.time()
        if held != told and wait > 0:
            self._later({name}, wait)
            return told
        if held != told or name not in self._told:
            self._told[name] = held, self._loop.time()
        return held


def _listeners(served: Served) -> list[tuple[Face, Address]]:
    plain = (one for one in served.listeners if _is_plain(one.door.tls))
    return [(listener.face, listener.address) for listener in plain]


def _is_plain(tls: Tls) -> bool:
    """Those who look for ports do not speak TLS."""
    return tls in (Tls.NONE, Tls.OPTIONAL)
