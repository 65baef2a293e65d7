"""Coming in by a ticket: Debian's telnet, a KDC, and a running daemon."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from gatewayd.login.users import secret, write_users
from tests.interop.instrument import Instrument, bare_line
from tests.interop.served import program
from tests.interop.terminal import Terminal
from tests.kerberos.kdc import Kdc, kdc
from tests.ports import free_ports
from tests.service.running import Running

pytestmark = pytest.mark.interop


@dataclass(frozen=True)
class Site:
    """A daemon with a port that alice may use, by a ticket or by a password, and one that she may
    use by a ticket alone."""

    lab: Kdc
    daemon: Running
    both: int
    offered: int
    desk: int
    instrument: Instrument

    def telnet(self, port: int, principal: str, name: str = "") -> Terminal:
        """telnet with tickets of `principal`, or without any; `name` is what it asks for."""
        environment = self.lab.tickets(principal) if principal else self.lab.environment
        settings = {
            "LD_PRELOAD": str(self.lab.directory / "interposer.so"),
            "KRB5_CONFIG": environment["KRB5_CONFIG"],
            "KRB5CCNAME": environment.get("KRB5CCNAME", "FILE:/none"),
        }
        argv = ("-l", name or principal or "alice", "localhost", str(port))
        words = (f"{key}={value}" for key, value in settings.items())
        return Terminal("env", *words, program("inetutils-telnet"), *argv)

    def session(self) -> dict[str, object]:
        session: dict[str, object] = self.daemon.status("psu1")["session"]
        return session


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("site")
    with kdc(tmp_path_factory.mktemp("kdc")) as lab, bare_line() as (device, instrument):
        write_users(str(directory / "users"), {"alice": secret(b"open sesame")})
        (directory / "host.keytab").write_bytes(lab.keytab.read_bytes())
        (directory / "host.keytab").chmod(0o600)
        both, offered, desk = free_ports(3)
        entry = (
            f"  psu1:\n    device: {device}\n    users: [alice]\n    echo: client\n"
            f"    busy: takeover\n    rfc2217:\n    - {{listen: {both}, login: required}}\n"
            f"    - {{listen: {offered}, login: offered}}\n"
        )
        top = (
            "users: users\n"
            "kerberos: {keytab: host.keytab, principals: {alice@LAB: alice, carol@LAB: carol}}\n"
            f"desk: {{listen: {desk}, login: required}}\n"
        )
        environment = {
            **os.environ,
            "KRB5_CONFIG": lab.environment["KRB5_CONFIG"],
            "KRB5RCACHENAME": f"file2:{directory}/replays",
        }
        with Running(directory, entry, top=top, environment=environment) as daemon:
            daemon.wait_for(r" open, \d+ ")
            yield Site(lab, daemon, both, offered, desk, instrument)


@pytest.mark.parametrize("where", ["both", "offered"])
def test_a_ticket_lets_in_without_a_password(site: Site, where: str) -> None:
    with site.telnet(getattr(site, where), "alice") as terminal:
        terminal.expect(rb"accepts you as ``alice@LAB'' \(server authenticated\)")
        terminal.type(b"*IDN?\r")
        site.instrument.read_until(b"*IDN?")
        assert site.session()["name"] == "alice"
        site.instrument.write(b"ACME,PSU\r\n")
        terminal.expect(rb"ACME,PSU")
    site.daemon.wait_for(r"let in by clear text, as alice by Kerberos, alice@LAB")


def test_a_principal_that_the_file_does_not_name_is_asked_for_a_password(site: Site) -> None:
    with site.telnet(site.both, "mallory", "alice") as terminal:
        terminal.expect(rb"Kerberos V5 refuses authentication")
        # What it calls itself is offered, and proves nothing.
        terminal.expect(rb"\[alice\] login: ")
        terminal.type(b"\r")
        terminal.expect(rb"password: ")
        terminal.type(b"open sesame\r")
        site.daemon.wait_for(r"let in by clear text, as alice by password")
    site.daemon.wait_for("a ticket is not taken: 'mallory@LAB' is not among the principals")


def test_who_has_no_ticket_is_asked_for_a_password(site: Site) -> None:
    with site.telnet(site.both, "") as terminal:
        terminal.expect(rb"\[alice\] login: ")


def test_a_ticket_at_the_desk(site: Site) -> None:
    with site.telnet(site.desk, "alice") as terminal:
        terminal.expect(rb"accepts you as ``alice@LAB''")
        terminal.expect(rb"psu1")


def test_who_may_come_to_the_gateway_may_not_come_to_every_port(site: Site) -> None:
    site.lab.kadmin("addprinc -pw secret carol")
    with site.telnet(site.both, "carol") as terminal:
        terminal.expect(rb"psu1: carol may not use it")


def test_a_reload_takes_other_principals(site: Site) -> None:
    """And refuses a keytab that cannot serve: the former one goes on."""
    text = site.daemon.config.read_text()
    try:
        site.daemon.config.write_text(text.replace("alice@LAB: alice, ", ""))
        assert site.daemon.command("reload").returncode == 0
        with site.telnet(site.both, "alice") as terminal:
            terminal.expect(rb"Kerberos V5 refuses authentication")
        site.daemon.config.write_text(text.replace("host.keytab", "none.keytab"))
        done = site.daemon.command("reload")
        assert done.returncode == 1
        assert re.search("none.keytab: No such file", done.stderr)
    finally:
        site.daemon.config.write_text(text)
        assert site.daemon.command("reload").returncode == 0
    with site.telnet(site.both, "alice") as terminal:
        terminal.expect(rb"Kerberos V5 accepts you")
