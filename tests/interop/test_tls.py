"""The clients of others, by TLS: from the first byte on, and by START_TLS."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.interop.instrument import bare_line
from tests.interop.secured import Secured, secured
from tests.interop.served import FETCHED, program
from tests.interop.terminal import Terminal
from tests.ports import free_ports
from tests.service.running import Running
from tests.tls import pki


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Secured]:
    with secured(tmp_path) as found:
        yield found


CA = str(pki.server().certificate)
S_CLIENT = ("s_client", "-quiet", "-crlf", "-verify_return_error", "-CAfile", CA)


@pytest.mark.parametrize("where", ["implicit", "raw", "starttls", "optional"])
def test_openssl(gateway: Secured, where: str) -> None:
    start = ("-starttls", "telnet") if where in ("starttls", "optional") else ()
    at = ("-connect", f"127.0.0.1:{getattr(gateway, where)}")
    with Terminal(program("openssl"), *S_CLIENT, *start, *at) as client:
        gateway.daemon.wait_for("let in by TLSv1.3")
        gateway.answers(client, "TLSv1.3")


def test_openssl_shows_a_certificate(gateway: Secured) -> None:
    shown = ("-cert", str(pki.alice().certificate), "-key", str(pki.alice().key))
    at = ("-connect", f"127.0.0.1:{gateway.known}")
    with Terminal(program("openssl"), *S_CLIENT, *shown, *at) as client:
        gateway.daemon.wait_for("let in by TLSv1.3, as alice by certificate")
        gateway.answers(client, "TLSv1.3")
        assert gateway.session()["name"] == "alice"


@pytest.mark.parametrize(
    ("where", "how"),
    [("implicit", "/tls-telnet"), ("starttls", "/telnet"), ("optional", "/telnet")],
)
def test_kermit(gateway: Secured, where: str, how: str) -> None:
    kermit_asks(gateway, f"{getattr(gateway, where)} {how}", "set auth tls verify peer-cert")


def kermit_asks(gateway: Secured, at: str, *settings: str) -> None:
    """See that C-Kermit comes to the instrument by TLS."""
    commands = (
        f"set auth tls verify-file {CA}",
        *settings,
        f"set host localhost {at}",
        r"output *IDN?\{10}",
        "input 10 ACME",
        "if success echo [answered]",
        "close",
        "exit 0",
    )
    with Terminal(program("kermit"), "-Y", "-C", ", ".join(commands)) as kermit:
        gateway.instrument.read_until(b"*IDN?")
        assert str(gateway.session()["tls"]).startswith("TLSv1.")
        gateway.instrument.write(b"ACME,PSU\r\n")
        kermit.expect(rb"\[answered\]")


def test_kermit_that_wants_it_gets_it(gateway: Secured) -> None:
    commands = (
        "set telopt start-tls required, "
        f"set auth tls verify-file {CA}, set host localhost {gateway.starttls} /telnet, "
        r"output *IDN?\{10}, input 10 ACME, if success echo [answered], exit 0"
    )
    with Terminal(program("kermit"), "-Y", "-C", commands) as kermit:
        gateway.instrument.read_until(b"*IDN?")
        gateway.instrument.write(b"ACME,PSU\r\n")
        kermit.expect(rb"\[answered\]")


def test_kermit_that_wants_it_leaves_where_it_is_not(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with bare_line() as (device, _instrument):
        daemon = Running(tmp_path, f"  psu1: {{device: {device}, rfc2217: {port}}}\n")
        with daemon:
            daemon.wait_for("psu1: .* open, ")
            commands = (
                f"set telopt start-tls required, set host 127.0.0.1 {port} /telnet, "
                "if fail echo [left], exit 0"
            )
            with Terminal(program("kermit"), "-Y", "-C", commands) as kermit:
                kermit.expect(rb"\[left\]")
            daemon.wait_for("psu1: rfc2217 session from .* over")
            assert daemon.status("psu1")["session"] is None


@pytest.mark.parametrize(("where", "prefix"), [("implicit", "L:"), ("starttls", "")])
def test_s3270(gateway: Secured, where: str, prefix: str) -> None:
    at = f"{prefix}localhost:{getattr(gateway, where)}"
    with subprocess.Popen(
        ["timeout", "60", program("s3270"), "-cafile", CA],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    ) as client:
        assert client.stdin is not None
        client.stdin.write(f'Connect("{at}")\nString("*IDN?\\n")\n'.encode())
        client.stdin.flush()
        gateway.daemon.wait_for("rfc2217 session from")
        assert str(gateway.session()["tls"]).startswith("TLSv1.")
        # It is a terminal: the host speaks first.
        gateway.instrument.write(b"ready\r\n")
        gateway.instrument.read_until(b"*IDN?")
        client.stdin.write(b"Quit()\n")
        client.stdin.close()


def test_socat_and_a_certificate(gateway: Secured) -> None:
    alice = pki.alice()
    peer = f"OPENSSL:localhost:{gateway.known},cafile={CA},cert={alice.certificate},key={alice.key}"
    with Terminal(program("socat"), "STDIO,raw,echo=0", peer) as client:
        gateway.daemon.wait_for("as alice by certificate")
        gateway.answers(client, "TLSv1.3")


def test_ncat(gateway: Secured) -> None:
    at = ("localhost", str(gateway.raw))
    ncat = (program("ncat"), "--ssl-verify", "--ssl-trustfile", CA, "-C", *at)
    with Terminal(*ncat) as client:
        gateway.daemon.wait_for("let in by TLSv1.3")
        gateway.answers(client, "TLSv1.3")


def telnet_ssl() -> str:
    """Debian's, unpacked: it and the other telnet cannot both be installed."""
    return program("telnet-ssl", FETCHED / "telnet-ssl/usr/bin")


@pytest.mark.parametrize("where", ["implicit", "known"])
def test_telnet_ssl(gateway: Secured, where: str) -> None:
    alice = pki.alice_rsa()
    shown = ("-z", f"cert={alice.certificate}", "-z", f"key={alice.key}")
    options = ["-z", "ssl", "-z", "secure", "-z", f"cacert={CA}"]
    options += shown if where == "known" else ()
    at = ("localhost", str(getattr(gateway, where)))
    with Terminal(telnet_ssl(), *options, *at) as client:
        gateway.daemon.wait_for("let in by TLSv1.[23]")
        client.type(b"*IDN?\r")
        gateway.instrument.read_until(b"*IDN?")
        if where == "known":
            assert gateway.session()["name"] == "alice-rsa"
        gateway.instrument.write(b"ACME,PSU\r\n")
        client.expect(b"ACME,PSU")


def test_telnet_ssl_that_does_not_know_the_gateway(gateway: Secured) -> None:
    options = ("-z", "ssl", "-z", "secure", "-z", f"cacert={pki.lab().certificate}")
    with Terminal(telnet_ssl(), *options, "localhost", str(gateway.implicit)):
        gateway.daemon.wait_for("no TLS with a client: ")
    assert gateway.daemon.status("psu1")["sessions"] == 0


# ---- SSL of AUTHENTICATION, for clients that do not know START_TLS


@pytest.mark.parametrize("where", ["starttls", "optional"])
def test_telnet_ssl_begins_with_it_by_authentication(gateway: Secured, where: str) -> None:
    # To the host `localhost` it never says WILL AUTHENTICATION.
    options = ("-z", "secure", "-z", f"cacert={CA}", "-z", "verify=1")
    with Terminal(telnet_ssl(), *options, "127.0.0.1", str(getattr(gateway, where))) as client:
        gateway.daemon.wait_for("let in by TLSv1.[23]")
        client.type(b"*IDN?\r")
        gateway.instrument.read_until(b"*IDN?")
        gateway.instrument.write(b"ACME,PSU\r\n")
        client.expect(b"ACME,PSU")


def test_telnet_ssl_that_does_not_know_the_gateway_by_authentication(gateway: Secured) -> None:
    options = ("-z", "secure", "-z", f"cacert={pki.lab().certificate}")
    with Terminal(telnet_ssl(), *options, "127.0.0.1", str(gateway.optional)):
        gateway.daemon.wait_for("no TLS with a client: the client does not know who has signed")
    assert gateway.daemon.status("psu1")["sessions"] == 0


def test_kermit_begins_with_it_by_authentication(gateway: Secured) -> None:
    options = ("set telopt start-tls refused", "set telopt authentication accepted")
    kermit_asks(gateway, f"{gateway.starttls} /telnet", *options)


# ---- tunnels on the client's side, for programs that know no TLS

PYSERIAL = """
import serial, sys
with serial.serial_for_url(sys.argv[1], baudrate=19200, timeout=10) as port:
    port.write(b"*IDN?\\n")
    print(port.readline())
"""


@contextmanager
def tunnel(*argv: str) -> Iterator[None]:
    """Runs until the end of the block; it listens when that is entered."""
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr is not None
            said = b""
            while not re.search(rb"listening on|Configuration successful", said):
                data = os.read(process.stderr.fileno(), 4096)
                assert data, said
                said += data
            yield
        finally:
            process.terminate()


def asks(gateway: Secured, url: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PYSERIAL, url], stdout=subprocess.PIPE, text=True
    ) as client:
        gateway.instrument.read_until(b"*IDN?\n")
        assert gateway.instrument.baudrate() == 19200
        assert gateway.session()["name"] == "alice"
        gateway.instrument.write(b"ACME,PSU\n")
        assert client.stdout is not None
        assert "ACME,PSU" in client.stdout.read()


def test_pyserial_by_socat(gateway: Secured) -> None:
    (near,) = free_ports(1)
    alice = pki.alice()
    files = f"cafile={CA},cert={alice.certificate},key={alice.key}"
    listen = f"TCP-LISTEN:{near},bind=127.0.0.1,fork,reuseaddr"
    peer = f"OPENSSL:localhost:{gateway.known},{files}"
    with tunnel(program("socat"), "-d", "-d", listen, peer):
        asks(gateway, f"rfc2217://127.0.0.1:{near}")


def test_pyserial_by_stunnel(gateway: Secured, tmp_path: Path) -> None:
    (near,) = free_ports(1)
    alice = pki.alice()
    config = tmp_path / "stunnel.conf"
    config.write_text(
        "foreground = yes\npid =\ndebug = notice\n"
        f"[psu1]\nclient = yes\naccept = 127.0.0.1:{near}\nconnect = localhost:{gateway.known}\n"
        f"CAfile = {CA}\nverifyChain = yes\ncert = {alice.certificate}\nkey = {alice.key}\n"
    )
    with tunnel(program("stunnel4"), str(config)):
        asks(gateway, f"rfc2217://127.0.0.1:{near}")


def test_gensiot(gateway: Secured) -> None:
    alice = pki.alice()
    ssl = f"ssl(CA={CA},cert={alice.certificate},key={alice.key})"
    stack = f"telnet(rfc2217),{ssl},tcp,localhost,{gateway.known}"
    with Terminal(program("gensiot"), "-i", "stdio(self)", stack) as client:
        gateway.daemon.wait_for("as alice by certificate")
        gateway.answers(client, "TLSv1.3")


# ---- clients that know no TLS, where it is wanted


@pytest.mark.parametrize("where", ["starttls", "implicit"])
def test_pyserial_is_refused_and_the_line_is_not_touched(gateway: Secured, where: str) -> None:
    url = f"rfc2217://127.0.0.1:{getattr(gateway, where)}"
    done = subprocess.run(
        [sys.executable, "-c", PYSERIAL, url],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "SerialException" in done.stderr
    assert gateway.daemon.status("psu1")["sessions"] == 0


def test_pyserial_goes_on_where_tls_is_optional(gateway: Secured) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PYSERIAL, f"rfc2217://127.0.0.1:{gateway.optional}"],
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        gateway.instrument.read_until(b"*IDN?\n")
        assert gateway.session()["tls"] == ""
        gateway.instrument.write(b"ACME,PSU\n")
        assert client.stdout is not None
        assert "ACME,PSU" in client.stdout.read()


@pytest.mark.parametrize("name", ["telnet", "plink"])
def test_others_go_on_where_tls_is_optional(gateway: Secured, name: str) -> None:
    at = str(gateway.optional)
    argv = {
        "telnet": ("telnet", "127.0.0.1", at),
        "plink": ("plink", "-telnet", "-P", at, "127.0.0.1"),
    }[name]
    with Terminal(program(name), *argv[1:]) as client:
        gateway.daemon.wait_for("session from")
        gateway.answers(client, "")


def test_a_browser_at_the_wrong_door(gateway: Secured) -> None:
    with socket.create_connection(("127.0.0.1", gateway.raw), 10) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        gateway.daemon.wait_for("no TLS with a client: the client speaks HTTP")


LOUD = ("s_client", "-crlf", "-verify_return_error", "-CAfile", CA)


def test_openssl_cannot_renegotiate(gateway: Secured) -> None:
    at = ("-connect", f"127.0.0.1:{gateway.raw}", "-tls1_2")
    with Terminal(program("openssl"), *LOUD, *at) as client:
        gateway.daemon.wait_for("let in by TLSv1.2")
        client.type(b"R\r")
        client.expect(b"no renegotiation")
    gateway.daemon.wait_for("session from .* over")


def test_openssl_changes_its_keys(gateway: Secured) -> None:
    """KeyUpdate of TLS 1.3: its own keys, and then ours as well."""
    at = ("-connect", f"127.0.0.1:{gateway.raw}")
    with Terminal(program("openssl"), *LOUD, *at) as client:
        gateway.daemon.wait_for("let in by TLSv1.3")
        for key in (b"k\r", b"K\r"):
            client.type(key)
            client.expect(b"KEYUPDATE")
            gateway.answers(client, "TLSv1.3")


def test_openssl_comes_back_by_a_ticket(gateway: Secured, tmp_path: Path) -> None:
    ticket = str(tmp_path / "ticket")
    at = ("-connect", f"127.0.0.1:{gateway.raw}")
    with Terminal(program("openssl"), *LOUD, *at, "-sess_out", ticket) as client:
        client.expect(b"New, TLSv1.3")
        gateway.answers(client, "TLSv1.3")
    with Terminal(program("openssl"), *LOUD, *at, "-sess_in", ticket) as client:
        client.expect(b"Reused, TLSv1.3")
        gateway.answers(client, "TLSv1.3")
