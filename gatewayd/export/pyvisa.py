"""VISA resource names of the plain TCP addresses, one a line, for PyVISA and its kin."""

from __future__ import annotations

from gatewayd.config.schema import Config
from gatewayd.export.model import Export, Here, first, host_of, loopback_only, on_loopback


def export(config: Config, here: Here) -> Export:
    """`TCPIP::HOST::PORT::SOCKET` (VPP-4.3, 4.3.1.1) of each port that has one."""
    names, remarks = [], []
    for port in config.ports:
        address = first(port.raw)
        if address is None:
            remarks.append(f"{port.name}: left out, it has no raw: address, and VISA needs one")
            continue
        if ":" in address.host and host_of(address, here) == address.host:
            remarks.append(
                f"{port.name}: left out, a VISA resource name cannot hold {address.host}; "
                "write an IPv4 address in raw:"
            )
            continue
        if on_loopback(address):
            remarks.append(loopback_only(port.name, "PyVISA"))
        names.append(f"TCPIP::{host_of(address, here)}::{address.port}::SOCKET\n")
    return Export((("resources.txt", "".join(names)),), tuple(remarks))
