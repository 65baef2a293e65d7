"""A daemon whose addresses want TLS, each in its own way, with an instrument behind them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.interop.instrument import Instrument, bare_line
from tests.interop.terminal import Terminal
from tests.ports import free_ports
from tests.service.running import Running
from tests.tls import pki


@dataclass(frozen=True)
class Secured:
    """Where it is, by what is wanted there."""

    implicit: int
    raw: int
    starttls: int
    optional: int
    known: int
    """From the first byte, and a client certificate."""
    instrument: Instrument
    daemon: Running

    def session(self) -> dict[str, object]:
        """Who has the port, as `gatewayd status` tells it."""
        session: dict[str, object] = self.daemon.status("psu1")["session"]
        return session

    def answers(self, client: Terminal, how: str) -> None:
        """A person at `client` asks the instrument, and gets its answer; the session is `how`."""
        client.type(b"*IDN?\r")
        self.instrument.read_until(b"*IDN?")
        assert self.session()["tls"] == how
        self.instrument.write(b"ACME,PSU\r\n")
        client.expect(b"ACME,PSU")


@contextmanager
def secured(directory: Path) -> Iterator[Secured]:
    """Serve the line of one PTY."""
    shutil.copy(pki.server().certificate, directory / "gatewayd.crt")
    shutil.copy(pki.server().key, directory / "gatewayd.key")
    shutil.copy(pki.lab().certificate, directory / "clients.crt")
    implicit, raw, starttls, optional, known = free_ports(5)
    with bare_line() as (device, instrument):
        entry = (
            "  psu1:\n"
            f"    device: {device}\n"
            "    echo: client\n"
            "    busy: takeover\n"
            "    rfc2217:\n"
            f"      - {{listen: {implicit}, tls: implicit}}\n"
            f"      - {{listen: {starttls}, tls: starttls}}\n"
            f"      - {{listen: {optional}, tls: optional}}\n"
            f"      - {{listen: {known}, tls: implicit, client_certificate: required}}\n"
            f"    raw: {{listen: {raw}, tls: implicit}}\n"
        )
        top = "tls: {certificate: gatewayd.crt, key: gatewayd.key, client_ca: clients.crt}\n"
        with Running(directory, entry, top=top) as daemon:
            daemon.wait_for(r" open, \d+ ")
            yield Secured(implicit, raw, starttls, optional, known, instrument, daemon)
