"""The daemon and its keys: at the start, at a reload, at the end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.tls.identity import fingerprint
from tests.cli.program import gatewayd
from tests.ports import free_ports
from tests.service.running import Running
from tests.tls import far, pki
from tests.until import PATIENCE


@pytest.fixture
def keys(tmp_path: Path) -> pki.Pair:
    """Copies, to be changed."""
    pair = pki.Pair(tmp_path / "gatewayd.crt", tmp_path / "gatewayd.key")
    shutil.copy(pki.server().certificate, pair.certificate)
    shutil.copy(pki.server().key, pair.key)
    return pair


TOP = "tls: {certificate: gatewayd.crt, key: gatewayd.key}\n"


class Rig:
    """A daemon with one port."""

    def __init__(self, directory: Path, device: str = "/dev/none") -> None:
        (self.port,) = free_ports(1)
        address = f"{{listen: {self.port}, tls: implicit}}"
        self.entry = f"  psu1: {{device: {device}, raw: {address}}}\n"
        self.daemon = Running(directory, self.entry, top=TOP)

    def connects(self, trusts: pki.Pair) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        return far.context(trusts=trusts).wrap_socket(
            plain, server_hostname="localhost", suppress_ragged_eofs=False
        )


@pytest.fixture
def rig(tmp_path: Path, keys: pki.Pair) -> Iterator[Rig]:
    master, slave = os.openpty()
    rig = Rig(tmp_path, os.ttyname(slave))
    with rig.daemon:
        rig.daemon.wait_for(" open, ")
        yield rig
    os.close(master)
    os.close(slave)


def replace(keys: pki.Pair, by: pki.Pair) -> None:
    shutil.copy(by.certificate, keys.certificate)
    shutil.copy(by.key, keys.key)


def test_a_reload_takes_new_keys_for_new_connections(
    rig: Rig, keys: pki.Pair, tmp_path: Path
) -> None:
    other = pki.make("other", *pki.LOCAL, directory=tmp_path)
    with rig.connects(pki.server()) as first:
        rig.daemon.wait_for("let in by TLSv1.3")
        replace(keys, other)
        rig.daemon.reload(rig.entry)
        with rig.connects(other) as second:
            shown = fingerprint(second.getpeercert(binary_form=True) or b"")
            assert rig.daemon.times("the certificate in force is") == 2
            assert f"the certificate in force is {shown}" in rig.daemon.text
        # What is there is as it was.
        assert rig.daemon.status("psu1")["session"]["tls"] == "TLSv1.3"
        first.sendall(b"still here")


def test_a_reload_with_keys_that_do_not_work_changes_nothing(rig: Rig, keys: pki.Pair) -> None:
    keys.key.write_text("nothing")
    done = rig.daemon.command("reload")
    assert done.returncode == 1
    assert "not a certificate and a key in PEM" in done.stderr
    with rig.connects(pki.server()):
        rig.daemon.wait_for("let in by TLSv1.3")
    # Nor does one whose addresses are not to be had.
    replace(keys, pki.rsa_server())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        rig.daemon.write(f"{rig.entry}  b: {{device: /none, raw: {taken.getsockname()[1]}}}\n")
        assert rig.daemon.command("reload").returncode == 1
        with rig.connects(pki.server()):
            pass


def test_a_start_without_usable_keys_fails(tmp_path: Path, keys: pki.Pair) -> None:
    keys.key.chmod(0o644)
    rig = Rig(tmp_path)
    rig.daemon.write(rig.entry)
    done = gatewayd("run", "-c", str(rig.daemon.config))
    assert done.returncode == 78
    assert f"chmod o= {keys.key}" in done.stderr + done.stdout


def test_an_expired_certificate_is_served_and_told(tmp_path: Path, keys: pki.Pair) -> None:
    pki.expire(keys)
    with Rig(tmp_path).daemon as daemon:
        daemon.wait_for("the certificate has expired 1 day ago")


def test_the_end_of_the_daemon_is_told_by_tls(rig: Rig) -> None:
    with rig.connects(pki.server()) as client:
        rig.daemon.wait_for("let in by TLSv1.3")
        rig.daemon.signal(signal.SIGTERM)
        # SSLEOFError, were it FIN alone.
        assert client.recv(100) == b""
    # One more signal, of the end of the rig, would kill what is about to end.
    assert rig.daemon.wait() == 0


def test_nothing_of_tls_is_in_memory_unless_it_is_configured() -> None:
    code = (
        "import sys\n"
        "import gatewayd.cli.main, gatewayd.service.daemon\n"
        "print([name for name in sys.modules if name.startswith('gatewayd.tls')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
