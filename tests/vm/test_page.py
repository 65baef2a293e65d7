"""The page under systemd: what it may see and do, and when it is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vm.ftdi import FtdiDevice
from tests.vm.gateway import GUEST, Gateway
from tests.vm.machine import Machine

pytestmark = pytest.mark.vm

PSU1 = f"""\
  psu1:
    device: {{serial: GW0001}}
    rfc2217: {GUEST}:7001
    record: output
    advertise: true
"""
BROWSER = """
import json, socket, sys, urllib.request
from wsproto import ConnectionType, WSConnection
from wsproto.events import Request, TextMessage

what, *more = sys.argv[1:]
base = "http://127.0.0.1:8323"

def ask(path, body=None, **headers):
    request = urllib.request.Request(base + path, body, {"Origin": base, **headers})
    return urllib.request.urlopen(request, timeout=20)

def signed_in(token):
    return ask("/sign-in", json.dumps({"token": token}).encode()).headers["Set-Cookie"]

def talk(path, cookie, said, wanted):
    sock = socket.create_connection(("127.0.0.1", 8323), 20)
    ws = WSConnection(ConnectionType.CLIENT)
    headers = [(b"Origin", base.encode()), (b"Cookie", cookie.encode())]
    sock.sendall(ws.send(Request("127.0.0.1:8323", path, extra_headers=headers)))
    text = ""
    while wanted not in text:
        ws.receive_data(sock.recv(65536))
        for event in ws.events():
            if isinstance(event, TextMessage):
                text += event.data
                if said:
                    sock.sendall(ws.send(TextMessage(said)))
                    said = ""
    print(text)

if what == "get":
    headers = {"Cookie": signed_in(more[1])} if more[1:] else {}
    print(ask(more[0], **headers).read().decode())
else:
    path, wanted, *rest = more
    cookie = signed_in(rest[1]) if rest else ""
    talk(path, cookie, rest[0] if rest else "", wanted)
"""


@pytest.fixture(scope="module")
def adapter() -> FtdiDevice:
    return FtdiDevice("GW0001")


@pytest.fixture(scope="module")
def gateway(image: Path, package: Path, adapter: FtdiDevice) -> Iterator[Gateway]:
    """gatewayd on a machine into which the adapter of psu1 is plugged; the page is enabled."""
    with Machine(image) as vm:
        gateway = Gateway(vm)
        gateway.install(package)
        assert vm.run("systemctl is-enabled gatewayd-web.socket", check=False).returncode
        assert "8323" not in vm.run("ss --listening --tcp --numeric").stdout
        vm.plug("psu1", adapter, socket_number=1)
        vm.wait_for("test -e /dev/ttyUSB0")
        gateway.start(PSU1, "psu1")
        vm.write("/tmp/browser.py", BROWSER)
        vm.run("systemctl enable --now gatewayd-web.socket")
        yield gateway


def browse(gateway: Gateway, *arguments: str) -> str:
    """What somebody on the machine sees."""
    return gateway.vm.run(["python3", "/tmp/browser.py", *arguments], timeout=60).stdout


def token(gateway: Gateway) -> str:
    """As root gets it."""
    return gateway.vm.run("gatewayd web-token").stdout.strip().partition("#token=")[2]


def test_it_shows_the_ports_and_may_do_no_more(gateway: Gateway, adapter: FtdiDevice) -> None:
    rights = json.loads(browse(gateway, "get", "/rights", token(gateway)))
    assert (rights["look"], rights["signed_in"], rights["able"]) == (True, True, False)
    assert '"psu1"' in browse(gateway, "talk", "/live", '"state": "ready"')
    # It begins in a unit without a network: all that it has is the socket that was passed.
    pid = gateway.vm.run("systemctl show --value --property=MainPID gatewayd-web.service").stdout
    assert gateway.vm.run(f"stat --format=%U /proc/{pid.strip()}").stdout.strip() == "gatewayd-web"
    owner = "stat --format=%U:%G:%a"
    assert gateway.vm.run(f"{owner} /var/lib/gatewayd-web/token").stdout.strip() == (
        "gatewayd-web:gatewayd-web:600"
    )
    assert gateway.vm.run(f"{owner} /run/gatewayd-look").stdout.strip() == (
        "gatewayd:gatewayd-web:750"
    )


def test_others_do_not_reach_the_looking_socket(gateway: Gateway) -> None:
    look = "python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect"
    path = '("/run/gatewayd-look/socket")'
    gateway.vm.run(f"setpriv --reuid=nobody --clear-groups {look}({path})' && exit 1 || true")
    done = gateway.vm.run(
        f"setpriv --reuid=nobody --regid=gatewayd-web --clear-groups {look}({path})'", check=False
    )
    assert done.returncode == 0, done.stderr


def test_under_its_unit_it_sees_the_gateways_of_the_network(gateway: Gateway) -> None:
    gateway.vm.run("systemctl start avahi-daemon.service")
    shown = browse(gateway, "talk", "/fleet/live", f'"rfc2217 {GUEST}:7001"')
    assert '"local": true' in shown
    gateway.vm.run("systemctl stop avahi-daemon.socket avahi-daemon.service")
    shown = browse(gateway, "talk", "/fleet/live", '"why": "Avahi ')
    assert '"machines": []' in shown


def test_with_the_drop_in_it_types_and_reads_records(gateway: Gateway, adapter: FtdiDevice) -> None:
    example = Path(__file__).parents[2] / "systemd" / "gatewayd-web-typing.conf"
    directory = "/etc/systemd/system/gatewayd-web.service.d"
    gateway.vm.run(f"mkdir -p {directory}")
    gateway.vm.write(f"{directory}/typing.conf", example.read_text())
    gateway.vm.run("systemctl daemon-reload && systemctl stop gatewayd-web.service")
    secret = token(gateway)
    assert json.loads(browse(gateway, "get", "/rights", secret))["able"] is True
    take = json.dumps({"do": "take", "name": "alice"})
    assert '"yours"' in browse(gateway, "talk", "/port/psu1", '"yours"', take, secret)
    files = json.loads(browse(gateway, "get", "/record/psu1", secret))
    assert files[0]["name"].endswith(".log")
    text = browse(gateway, "get", f"/record/psu1/{files[0]['name']}", secret)
    assert "recording begins" in text


def test_it_goes_after_the_last_visitor(gateway: Gateway) -> None:
    # A minute is long for a test.
    run = "/usr/bin/gatewayd web --control /run/gatewayd/control --idle 2"
    directory = "/run/systemd/system/gatewayd-web.service.d"
    gateway.vm.run(f"mkdir -p {directory}")
    gateway.vm.write(f"{directory}/idle.conf", f"[Service]\nExecStart=\nExecStart={run}\n")
    gateway.vm.run("systemctl daemon-reload && systemctl stop gatewayd-web.service")
    browse(gateway, "get", "/rights")
    state = "systemctl show --value --property=ActiveState gatewayd-web.service"
    gateway.vm.wait_for(f"test $({state}) = inactive", 30)
    assert "signed_in" in browse(gateway, "get", "/rights")


def test_it_is_exposed_no_more_than_the_manual_says(gateway: Gateway) -> None:
    security = "systemd-analyze security --threshold=2 --no-pager gatewayd-web.service"
    assert "Overall exposure level" in gateway.vm.run(security).stdout
    verify = gateway.vm.run("systemd-analyze verify --man=no gatewayd-web.service")
    assert "gatewayd" not in verify.stderr, verify.stderr
