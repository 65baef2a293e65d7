"""What is kept of leases for the next process, whatever becomes of the ports."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta

from gatewayd.config.schema import PortConfig
from gatewayd.port.lease import Lease
from gatewayd.service.gateway import Gateway
from gatewayd.service.leases import Leases
from gatewayd.service.store import Store


class Kept(Store):
    """Keeps what it is given in memory."""

    text = b""

    def leases(self, text: bytes) -> None:
        self.text = text


def test_the_time_of_a_port_that_went_is_nothing_to_the_one_of_its_name() -> None:
    async def work() -> None:
        store = Kept()
        gateway = Gateway(store)
        leases = Leases(gateway, store)
        config = PortConfig("psu1", "/dev/null")
        old = gateway.add(config, ()).port.clients
        gateway.arranged()
        old.let(Lease("alice", datetime.now().astimezone() + timedelta(seconds=60)), 60)
        await gateway.remove("psu1")
        new = gateway.add(config, ()).port.clients
        gateway.arranged()
        assert new.lease is not None
        new.let(Lease("alice", datetime.now().astimezone() + timedelta(seconds=600)), 600)
        kept = store.text
        assert list(json.loads(kept)) == ["psu1"]
        old.let(None)
        assert store.text == kept
        new.let(None)
        assert store.text == b""
        await gateway.stop()
        assert leases is not None

    asyncio.run(work())
