"""A port with all kinds of address, for several programs at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.interop.gateway import Gateway
from tests.interop.instrument import Instrument, bare_line
from tests.ports import free_ports


@dataclass(frozen=True)
class Lab:
    """The port `psu1`: its addresses, what is behind it, and the process between."""

    rfc2217: int
    raw: int
    watch: int
    watch_raw: int
    instrument: Instrument
    gateway: Gateway
    control: str


@contextlib.contextmanager
def lab(directory: Path, settings: str = "") -> Iterator[Lab]:
    """One whose port has these settings as well, such as `, busy: watch`."""
    ports = free_ports(4)
    control, config = directory / "control", directory / "gatewayd.yaml"
    faces = ("rfc2217", "raw", "watch", "watch_raw")
    said = "".join(f", {face}: {port}" for face, port in zip(faces, ports, strict=True))
    with bare_line() as (device, instrument):
        config.write_text(
            f"version: 1\ncontrol: {control}\n"
            f"ports: {{psu1: {{device: {device}, line: 115200 8N1{said}{settings}}}}}\n"
        )
        with Gateway("run", "-c", str(config), faces=len(faces)) as gateway:
            one, two, three, four = ports
            yield Lab(one, two, three, four, instrument, gateway, str(control))
