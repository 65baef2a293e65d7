"""Which ports are recorded: as the configuration has it, from the first byte on.

The recorder is imported when a port asks for it, and costs nothing where none does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gatewayd.config.schema import RecordConfig, RecordMode
from gatewayd.service.gateway import Gateway, Served

if TYPE_CHECKING:
    from gatewayd.record.recorder import Recorder

STOP_S: Final = 1.0
"""How long a stop waits for records to be on the disk."""


class Recording:
    """Sees to the records and replay rings of the ports of a gateway."""

    def __init__(self, gateway: Gateway, config: RecordConfig) -> None:
        self._gateway = gateway
        self._config = config
        self._recorder: Recorder | None = None
        self._recorded: dict[str, Served] = {}
        gateway.observers.append(self.arrange)

    def follow(self, config: RecordConfig) -> None:
        """Have records where `config` says, and of the ports that are to be recorded now."""
        self._config = config
        if self._recorder is not None and self._recorder.config != config:
            self._recorder.move(config)
        self.arrange()

    def arrange(self) -> None:
        """Begin and end what the configurations of the ports say."""
        served = self._gateway.served
        for name, one in tuple(self._recorded.items()):
            if served.get(name) is not one or one.port.config.record is RecordMode.OFF:
                del self._recorded[name]
                self._end(one)
        for one in served.values():
            if one.port.config.record is not RecordMode.OFF:
                self._record(one)
            if one.port.config.replay or one.ring is not None:
                _keep_for_replay(one)

    def _record(self, served: Served) -> None:
        if served.record is not None and not served.record.follow(served.port.config):
            self._end(served)
        if served.record is None:
            if self._recorder is None:
                from gatewayd.record.recorder import Recorder

                self._recorder = Recorder(self._config, self._gateway.loop)
            served.record = self._recorder.begin(served.port)
            self._recorded[served.port.name] = served

    def _end(self, served: Served) -> None:
        if self._recorder is not None and served.record is not None:
            self._recorder.end(served.record)
            served.record = None

    async def stop(self) -> None:
        """End all records, and wait for the disk; not for ever."""
        self._gateway.observers.remove(self.arrange)
        if self._recorder is not None:
            await self._recorder.stop(STOP_S)


def _keep_for_replay(served: Served) -> None:
    size, ring = served.port.config.replay, served.ring
    if ring is None:
        from gatewayd.record.ring import Ring

        ring = served.ring = Ring(size)
        served.port.hub.add(ring)
    elif size:
        ring.resize(size)
    else:
        served.port.hub.remove(ring)
        served.ring = None
