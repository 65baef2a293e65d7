"""What can be wrong with a configuration on this machine, though it is right in itself."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence

from gatewayd.config.schema import Address, Config, PortConfig, Tls
from gatewayd.device.match import best_match, find, is_serial_number
from gatewayd.device.scan import SerialDevice
from gatewayd.doctor.machine import Finding
from gatewayd.errors import DeviceAbsentError, DeviceError


def devices(config: Config, present: Sequence[SerialDevice]) -> Iterator[Finding]:
    """Ports whose device is missing, ambiguous, or named by what the next boot may change."""
    for port in config.ports:
        try:
            found = find(port.device, present)
        except DeviceAbsentError as error:
            remedy = "gatewayd devices   # lists what is plugged in"
            yield Finding(f"{port.name}: {error}", remedy, wrong=False)
        except DeviceError as error:
            remedy = "gatewayd devices   # prints what tells them apart"
            yield Finding(f"{port.name}: {error}", remedy)
        else:
            if isinstance(found, SerialDevice):
                yield from _name(port, found, present)


def _name(
    port: PortConfig, device: SerialDevice, present: Sequence[SerialDevice]
) -> Iterator[Finding]:
    path = port.device if isinstance(port.device, str) else ""
    better = best_match(device, present).device
    if re.fullmatch(r"/dev/tty(USB|ACM)\d+", path):
        why = "names change with the order of plugging"
    elif path.startswith("/dev/serial/by-id/") and not is_serial_number(device.serial):
        why = "the adapter has no serial number of its own, so that another one may take the name"
    else:
        return
    if better != path:
        remedy = f"write   device: {better}   in the configuration"
        yield Finding(f"{port.name}: device {path}: {why}", remedy, wrong=False)


def listeners(config: Config) -> Iterator[Finding]:
    """Addresses at which others can reach a device in clear text, whoever they are."""
    for port in config.ports:
        for face, address in port.listeners:
            reach = _reach(address)
            guarded = address.door.tls in (Tls.IMPLICIT, Tls.STARTTLS) or address.door.allow
            if reach is not None and not guarded:
                text = f"{port.name}: {face.value} at {address} is in clear text for {reach}"
                local = Address("::1" if ":" in address.host else "127.0.0.1", address.port)
                remedy = f"write {local}, and use   ssh -L {address.port}:{local} THIS-MACHINE"
                yield Finding(text, remedy, wrong="any" in reach or "Internet" in reach)


def _reach(address: Address) -> str | None:
    """Who reaches an address, or None when it is this machine only."""
    host = ipaddress.ip_address(address.host.partition("%")[0])
    if host.is_loopback:
        return None
    if host.is_unspecified:
        return "any network that this machine is in"
    return "the Internet" if host.is_global else "everybody in its network"
