"""A KDC of MIT on the loopback interface, its principals, and telnet with tickets of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.interop.served import FETCHED
from tests.ports import free_ports
from tests.until import PATIENCE
from tests.watched import Watched

REALM: Final = "LAB"
PASSWORD: Final = "secret"
PAIR: Final = b"\x02\x00"
"""KERBEROS_V5, one way, client to server."""
_SEND: Final = b"\xff\xfa\x25\x01" + PAIR + b"\xff\xf0"
_IS: Final = b"\xff\xfa\x25\x00"
_END: Final = b"\xff\xf0"

_CONF: Final = """[libdefaults]
 default_realm = LAB
 dns_lookup_kdc = false
 dns_lookup_realm = false
 rdns = false
 dns_canonicalize_hostname = false
[realms]
 LAB = {{
  kdc = 127.0.0.1:{port}
 }}
[domain_realm]
 localhost = LAB
[logging]
 kdc = STDERR
[dbmodules]
 LAB = {{
  db_library = db2
 }}
 db_module_dir = {plugins}
"""
_KDC_CONF: Final = """[kdcdefaults]
 kdc_listen = 127.0.0.1:{port}
 kdc_tcp_listen = 127.0.0.1:{port}
[realms]
 LAB = {{
  database_name = {directory}/principal
  key_stash_file = {directory}/stash
  acl_file = {directory}/acl
 }}
"""


class Kdc:
    """Principals `alice`, `mallory` and `host/localhost`, whose keys are in `keytab`."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.directory = directory
        self.environment = environment
        self.keytab = directory / "host.keytab"

    def kadmin(self, asked: str) -> None:
        """Change the database."""
        program = FETCHED / "krb5-admin-server/usr/sbin/kadmin.local"
        self.run(program, "-r", REALM, "-q", asked)

    def tickets(self, principal: str, *options: str) -> dict[str, str]:
        """An environment in which `principal` has logged in at the KDC."""
        cache = self.directory / f"tickets-{principal}"
        environment = {**self.environment, "KRB5CCNAME": f"FILE:{cache}"}
        command = [str(FETCHED / "krb5-user/usr/bin/kinit"), *options, principal]
        subprocess.run(
            command, env=environment, input=f"{PASSWORD}\n".encode(), check=True, timeout=PATIENCE
        )
        return environment

    def request(self, principal: str, *options: str) -> bytes:
        """The AP-REQ that telnet sends when asked for Kerberos, with tickets of `principal`;
        empty if it has none to send."""
        environment = self.tickets(principal, *options)
        environment["LD_PRELOAD"] = str(self.directory / "interposer.so")
        return asked(environment, principal)

    def run(self, *command: str | Path) -> None:
        subprocess.run(
            command, env=self.environment, check=True, timeout=PATIENCE, capture_output=True
        )


def asked(environment: Mapping[str, str], name: str) -> bytes:
    """What telnet answers to SEND KERBEROS_V5 behind AUTH; empty if it says NULL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        port = listener.getsockname()[1]
        telnet = ["telnet", "-l", name, "localhost", str(port)]
        with subprocess.Popen(
            telnet,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as client:
            try:
                connection, _ = listener.accept()
                with connection:
                    return _hear(connection)
            finally:
                client.kill()


def _hear(connection: socket.socket) -> bytes:
    connection.settimeout(PATIENCE)
    connection.sendall(b"\xff\xfd\x25")
    heard = b""
    while b"\xff\xfb\x25" not in heard:
        heard += connection.recv(4096)
    connection.sendall(_SEND)
    while True:
        _, found, rest = heard.partition(_IS)
        if found and _END in (plain := rest.replace(b"\xff\xff", b"\x00\x00")):
            answer = rest[: plain.index(_END)].replace(b"\xff\xff", b"\xff")
            return answer[3:] if answer.startswith(PAIR + b"\x00") else b""
        got = connection.recv(4096)
        assert got, heard
        heard += got


@contextlib.contextmanager
def kdc(directory: Path) -> Iterator[Kdc]:
    """Serve. Skips where there is none."""
    server = FETCHED / "krb5-kdc/usr/sbin/krb5kdc"
    if not server.exists() or not shutil.which("telnet"):
        pytest.skip("krb5-kdc or telnet is not fetched; ./dev test does that")
    (port,) = free_ports(1)
    plugins = next(FETCHED.glob("krb5-kdc/usr/lib/*/krb5/plugins/kdb"))
    text = _CONF.format(port=port, plugins=plugins)
    (directory / "krb5.conf").write_text(text)
    (directory / "kdc.conf").write_text(_KDC_CONF.format(port=port, directory=directory))
    libraries = directory / "lib"  # libverto looks for its event loop where it is itself
    libraries.mkdir()
    for one in FETCHED.glob("lib*/usr/lib/*/lib*.so.*"):
        (libraries / one.name).symlink_to(one.resolve())
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(libraries),
        "KRB5_CONFIG": str(directory / "krb5.conf"),
        "KRB5_KDC_PROFILE": str(directory / "kdc.conf"),
    }
    interposer = Path(__file__).with_name("interposer.c")
    made = directory / "interposer.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", made, interposer, "-ldl"], check=True)
    lab = Kdc(directory, environment)
    util = FETCHED / "krb5-kdc/usr/sbin/kdb5_util"
    lab.run(util, "create", "-r", REALM, "-s", "-P", "master")
    for principal in ("alice", "mallory"):
        lab.kadmin(f"addprinc -pw {PASSWORD} {principal}")
    lab.kadmin("addprinc -randkey host/localhost")
    lab.kadmin(f"ktadd -k {lab.keytab} host/localhost")
    with Watched([server, "-n", "-r", REALM], environment=environment) as running:
        running.wait_for("commencing operation")
        yield lab
