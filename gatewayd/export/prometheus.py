"""Where the metrics are, for file_sd_configs of Prometheus."""

from __future__ import annotations

import json

from gatewayd.config.schema import Config
from gatewayd.export.model import Export, Here, first, host_of, loopback_only, on_loopback


def export(config: Config, here: Here) -> Export:
    """One target for the gateway, `gateway` being the name of its machine; none without metrics."""
    address = first(config.metrics)
    if address is None:
        return Export((("gatewayd.json", "[]\n"),), ("nothing to scrape; write metrics: 9317",))
    host = host_of(address, here)
    target = f"[{host}]:{address.port}" if ":" in host else f"{host}:{address.port}"
    groups = [{"targets": [target], "labels": {"gateway": here.host}}]
    remarks = (loopback_only("metrics", "Prometheus"),) if on_loopback(address) else ()
    return Export((("gatewayd.json", json.dumps(groups, indent=2) + "\n"),), remarks)
