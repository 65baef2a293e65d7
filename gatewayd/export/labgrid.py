"""The file of labgrid's exporter, which offers the ports to a labgrid coordinator.

labgrid's stock exporter passes `NetworkSerialPort` on as it stands: always available, whoever else
holds the port.
"""

from __future__ import annotations

from gatewayd.config.schema import Config
from gatewayd.device.match import yaml_scalar
from gatewayd.export.model import Export, Here, first, host_of, loopback_only, on_loopback

# `##` begins a comment; after a single `#` the exporter's templates look for a statement.
HEADING = "## Ports of gatewayd: labgrid-exporter FILE\n"


def export(config: Config, here: Here) -> Export:
    """One group a port, with the address that labgrid's SerialDriver speaks best."""
    groups, remarks = [HEADING], []
    for port in config.ports:
        address, protocol = first(port.rfc2217), "rfc2217"
        raw = first(port.raw)
        if address is None or (on_loopback(address) and raw and not on_loopback(raw)):
            address, protocol = raw, "raw"
        assert address is not None, "a port has an address"
        if on_loopback(address):
            remarks.append(loopback_only(port.name, "labgrid"))
        groups.append(
            f"{yaml_scalar(port.name)}:\n"
            "  NetworkSerialPort:\n"
            f"    host: {yaml_scalar(host_of(address, here))}\n"
            f"    port: {address.port}\n"
            f"    speed: {port.line.baudrate}\n"
            f"    protocol: {protocol}\n"
        )
    if len(groups) == 1:
        groups.append("{}\n")
    return Export((("exporter.yaml", "".join(groups)),), tuple(remarks))
