"""Twenty gateways of 64 ports each: listed, scraped, and restarted one after the other in use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fleet.floor import Floor
from tests.fleet.traffic import Traffic

pytestmark = pytest.mark.interop

GATEWAYS, PORTS = 20, 64
SCRAPED_S = 60.0
"""Each is scraped once in 15 s, at a moment of its own."""


@pytest.mark.limit(420)
def test_twenty_gateways_are_listed_scraped_and_restarted(tmp_path: Path) -> None:
    with Floor(tmp_path, GATEWAYS, PORTS) as floor:
        floor.start()
        floor.wait_listed()
        with floor.prometheus(tmp_path) as prometheus:
            prometheus.wait_until("sum(up)", str(GATEWAYS), SCRAPED_S)
            prometheus.wait_until("count(gatewayd_port_held)", str(GATEWAYS * PORTS))
            before = prometheus.value("max(gatewayd_start_time_seconds)")
            flows = [floor.session(rack) for rack in floor.racks]
            with Traffic(flows):
                for rack in floor.racks:
                    assert "Traceback" not in rack.restart()
                restarted = f"count(gatewayd_start_time_seconds > {before})"
                prometheus.wait_until(restarted, str(GATEWAYS), SCRAPED_S)
                prometheus.wait_until("sum(gatewayd_port_held)", str(GATEWAYS), SCRAPED_S)
                prometheus.wait_until("sum(up)", str(GATEWAYS))
        floor.wait_listed()
