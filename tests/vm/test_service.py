"""gatewayd under systemd: starting, reloading, restarting, ending, and what it may do."""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from serial import rfc2217

from gatewayd.log import Happening
from tests.kerberos.keytab import keytab
from tests.port.wire import sub, will
from tests.same import same
from tests.vm.channel import MachineError
from tests.vm.ftdi import FtdiDevice
from tests.vm.gateway import GUEST, Gateway
from tests.vm.machine import Machine

pytestmark = pytest.mark.vm

REJECT = sub(37, b"\x02\x02\0\x01not accepted")
UNITS = Path(__file__).parents[2] / "systemd"
PSU1 = f"""\
  psu1:
    device: {{serial: GW0001}}
    rfc2217: {GUEST}:7001
"""
PSU2 = f"""\
  psu2:
    device: {{serial: GW0002}}
    rfc2217: {GUEST}:7002
"""


@pytest.fixture(scope="module")
def adapter() -> FtdiDevice:
    return FtdiDevice("GW0001")


@pytest.fixture(scope="module")
def gateway(image: Path, package: Path, adapter: FtdiDevice) -> Iterator[Gateway]:
    """gatewayd on a machine into which the adapter of psu1 is plugged."""
    with Machine(image, ports=(7001, 7002)) as vm:
        gateway = Gateway(vm)
        gateway.install(package)
        vm.plug("psu1", adapter, socket_number=1)
        vm.wait_for("test -e /dev/ttyUSB0")
        yield gateway


def listening(gateway: Gateway) -> set[str]:
    """The addresses in the guest on which gatewayd listens."""
    lines = gateway.vm.run("ss --listening --tcp --numeric --no-header --processes").stdout
    return {line.split()[3] for line in lines.splitlines() if "gatewayd" in line}


def test_it_is_started_when_its_listeners_are_bound(gateway: Gateway) -> None:
    gateway.start(PSU1 + PSU2)
    assert listening(gateway) == {f"{GUEST}:7001", f"{GUEST}:7002"}
    assert gateway.shown("StatusText").startswith("2 ports, 0 sessions")


def test_its_status_names_sessions_and_absent_devices(gateway: Gateway) -> None:
    gateway.start(PSU1 + PSU2, "psu1")
    with gateway.connect(7001):
        text = "2 ports, 1 session, absent: psu2"
        gateway.vm.wait_for(f"systemctl show -p StatusText gatewayd | grep -qx 'StatusText={text}'")


def test_a_wrong_file_fails_the_start_and_says_why(gateway: Gateway) -> None:
    gateway.systemctl("stop")
    since = gateway.now()
    gateway.configure("  psu1:\n    devise: /dev/ttyUSB0\n")
    with pytest.raises(MachineError):
        gateway.systemctl("start")
    log = gateway.vm.journal("_SYSTEMD_UNIT=gatewayd.service", f"--since={since}")
    assert any("gatewayd.yaml:5:5: " in entry["MESSAGE"] for entry in log), log
    assert gateway.shown("ExecMainStatus") == "78"
    assert gateway.shown("ActiveState") == "failed", "and is not tried again"


def test_a_network_that_comes_late_is_served_then(gateway: Gateway) -> None:
    gateway.vm.run(f"ip address delete {GUEST}/24 dev $(ls /sys/class/net | grep -v lo)")
    gateway.start(PSU1, "psu1")
    gateway.vm.run(f"ip address add {GUEST}/24 dev $(ls /sys/class/net | grep -v lo)")
    with gateway.connect(7001) as client:
        assert client.set(4800, "7O1") == (4800, "7O1")


def test_a_hung_loop_is_ended_and_started_again_and_the_device_keeps_dtr(
    gateway: Gateway, adapter: FtdiDevice
) -> None:
    gateway.vm.write(
        "/run/systemd/system/gatewayd.service.d/test.conf", "[Service]\nWatchdogSec=4s\n"
    )
    gateway.vm.run("systemctl daemon-reload")
    gateway.start(PSU1, "psu1")
    with gateway.connect(7001) as client:
        client.set(19200, "7E1")
        adapter.wire.history.clear()
        pid, since = gateway.shown("MainPID"), gateway.now()
        gateway.vm.run(f"kill -STOP {pid}")
        client.closed(timeout=60)
    gateway.vm.wait_for("systemctl --quiet is-active gatewayd.service", 30)
    gateway.wait_logged(Happening.DEVICE_READY, "psu1", since)
    assert gateway.shown("MainPID") != pid
    assert gateway.shown("NRestarts") == "1"
    assert not [change for change in adapter.wire.history if change.what == "dtr"]
    gateway.vm.run("rm -r /run/systemd/system/gatewayd.service.d; systemctl daemon-reload")
    with gateway.connect(7001) as client:
        client.send(b"*IDN?\n")
        adapter.wire.expect(b"*IDN?\n")


def test_reload_fails_truthfully_and_changes_nothing(gateway: Gateway) -> None:
    gateway.start(PSU1, "psu1")
    with gateway.connect(7001) as client:
        gateway.configure(PSU1 + "    baud: 9600\n")
        since = gateway.now()
        with pytest.raises(MachineError):
            gateway.systemctl("reload")
        assert gateway.shown("ActiveState") == "active"
        log = gateway.vm.journal(
            f"MESSAGE_ID={Happening.CONFIG_REJECTED.value}", f"--since={since}"
        )
        assert len(log) == 1
        assert "gatewayd.yaml:7:5: " in log[0]["MESSAGE"]
        assert client.set(2400, "7E1") == (2400, "7E1")


def test_reload_adds_a_port_and_leaves_the_session_of_another(gateway: Gateway) -> None:
    gateway.start(PSU1, "psu1")
    with gateway.connect(7001) as client:
        gateway.configure(PSU1 + PSU2)
        gateway.systemctl("reload")
        assert listening(gateway) == {f"{GUEST}:7001", f"{GUEST}:7002"}
        assert client.set(2400, "7E1") == (2400, "7E1")


def test_a_transfer_goes_on_through_three_restarts(gateway: Gateway, adapter: FtdiDevice) -> None:
    gateway.start(PSU1, "psu1")
    wire, restarted = adapter.wire, threading.Event()
    down, up = bytearray(), bytearray()
    source = random.Random(4)
    with gateway.connect(7001) as client:
        client.set(115200, "8E2")
        wire.take()
        wire.history.clear()

        def transfer() -> None:
            while not restarted.wait(0.02):
                down.extend(piece := source.randbytes(200))
                client.send(piece)
                up.extend(piece := source.randbytes(200))
                wire.send(piece)

        sending = threading.Thread(target=transfer)
        sending.start()
        pids = {gateway.shown("MainPID")}
        try:
            for _ in range(3):
                gateway.systemctl("restart")
                pids.add(gateway.shown("MainPID"))
        finally:
            restarted.set()
            sending.join()
        assert len(pids) == 4
        same(client.collect(len(up)), up)
        same(wire.collect(len(down)), down)
        assert not wire.history, "settings, DTR and RTS stay as they were"
        assert client.request(rfc2217.SET_BAUDRATE, bytes(4)) == (115200).to_bytes(4)


def test_a_stop_lets_out_what_the_client_has_sent(gateway: Gateway, adapter: FtdiDevice) -> None:
    gateway.start(PSU1, "psu1")
    with gateway.connect(7001) as client:
        adapter.wire.take()
        client.send(b"last words" * 100)
        adapter.wire.expect(b"last")
        gateway.systemctl("stop")
        assert b"last" + adapter.wire.take() == b"last words" * 100
        client.closed()


def test_a_socket_unit_starts_it_with_the_first_client(
    gateway: Gateway, adapter: FtdiDevice
) -> None:
    gateway.systemctl("stop")
    gateway.configure(PSU1)
    unit = (UNITS / "gatewayd-psu1.socket").read_text()
    unit = re.sub("^ListenStream=.*", f"ListenStream={GUEST}:7001", unit, flags=re.MULTILINE)
    gateway.vm.write("/run/systemd/system/gatewayd-psu1.socket", unit)
    gateway.vm.run("systemctl daemon-reload && systemctl start gatewayd-psu1.socket")
    assert gateway.shown("ActiveState") == "inactive"
    with gateway.connect(7001) as client:
        assert gateway.shown("ActiveState") == "active"
        assert client.set(4800, "7O1") == (4800, "7O1")
        client.send(b"*IDN?\n")
        adapter.wire.expect(b"*IDN?\n")
    gateway.vm.run(
        "systemctl stop gatewayd-psu1.socket gatewayd.service;"
        "rm /run/systemd/system/gatewayd-psu1.socket; systemctl daemon-reload"
    )


def test_it_is_exposed_no_more_than_13_tenths(gateway: Gateway) -> None:
    security = "systemd-analyze security --threshold=13 --no-pager gatewayd.service"
    assert "Overall exposure level" in gateway.vm.run(security).stdout
    verify = gateway.vm.run("systemd-analyze verify --man=no gatewayd.service")
    assert "gatewayd" not in verify.stderr, verify.stderr


def test_the_process_has_no_privileges(gateway: Gateway) -> None:
    gateway.start(PSU1, "psu1")
    status = gateway.vm.run(f"cat /proc/{gateway.shown('MainPID')}/status").stdout
    fields = dict(line.split(":\t", 1) for line in status.splitlines())
    user = gateway.vm.run("id --user gatewayd").stdout.strip()
    assert fields["Uid"].split() == [user] * 4
    assert all(int(fields[name], 16) == 0 for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb"))
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")


def test_a_ticket_is_read_by_a_process_of_its_own(gateway: Gateway, tmp_path: Path) -> None:
    """In the sandbox of the service: libkrb5 itself says what is wrong with this one."""
    keytab(tmp_path / "keytab")
    gateway.vm.copy(tmp_path / "keytab", "/etc/gatewayd/keytab")
    gateway.vm.run("chown gatewayd: /etc/gatewayd/keytab && chmod 600 /etc/gatewayd/keytab")
    port = (
        "  psu1:\n    device: {serial: GW0001}\n"
        f"    rfc2217: {{listen: {GUEST}:7001, login: required}}\n"
        "kerberos: {keytab: keytab, principals: {alice@LAB: alice}}\n"
    )
    gateway.start(port, "psu1")
    since = gateway.now()
    with gateway.connect_raw(7001) as client:
        client.sendall(will(37) + sub(37, b"\0\x02\0\0\x6e\x82 no AP-REQ"))
        told = b""
        while REJECT not in told:
            more = client.recv(1000)
            assert more, told
            told += more
    log = gateway.vm.journal(f"MESSAGE_ID={Happening.LOGIN_FAILED.value}", f"--since={since}")
    assert any("a ticket is not taken: ASN.1" in entry["MESSAGE"] for entry in log), log


def test_it_runs_from_a_root_that_is_read_only(gateway: Gateway, adapter: FtdiDevice) -> None:
    gateway.systemctl("stop")
    gateway.configure(PSU1)
    gateway.vm.run("sync; mount -o remount,ro /")
    since = gateway.now()
    try:
        gateway.systemctl("start")
        gateway.wait_logged(Happening.DEVICE_READY, "psu1", since)
        with gateway.connect(7001) as client:
            client.send(b"*IDN?\n")
            adapter.wire.expect(b"*IDN?\n")
    finally:
        gateway.vm.run("mount -o remount,rw /")


def test_the_journal_has_the_history_of_a_port(gateway: Gateway) -> None:
    since = gateway.now()
    gateway.start(PSU1 + PSU2, "psu1")
    with gateway.connect(7001):
        pass
    gateway.wait_logged(Happening.SESSION_CLOSED, "psu1", since)
    log = gateway.vm.journal("GATEWAYD_PORT=psu1", f"--since={since}")
    kinds = {happening.value: happening for happening in Happening}
    by_kind = {kinds[entry["MESSAGE_ID"]]: entry for entry in log}
    assert {
        Happening.LISTENING,
        Happening.DEVICE_READY,
        Happening.SESSION_OPENED,
        Happening.SESSION_CLOSED,
    } <= by_kind.keys() | {Happening.LISTENING for kind in by_kind if kind is Happening.EXPOSED}
    opened = by_kind[Happening.SESSION_OPENED]
    assert opened["GATEWAYD_PEER"].startswith("10.0.2.2:")
    assert int(opened["GATEWAYD_SESSION"]) > 0
    assert by_kind[Happening.SESSION_CLOSED]["GATEWAYD_SESSION"] == opened["GATEWAYD_SESSION"]
    assert by_kind[Happening.DEVICE_READY]["GATEWAYD_DEVICE"]
    assert {entry["_SYSTEMD_UNIT"] for entry in log} == {"gatewayd.service"}


def test_status_tells_of_the_session(gateway: Gateway) -> None:
    gateway.start(PSU1, "psu1")
    with gateway.connect(7001) as client:
        client.set(2400, "7E1")
        status = json.loads(gateway.vm.run("gatewayd status --json").stdout)
        assert "2400 7E1" in json.dumps(status)
        assert "10.0.2.2:" in json.dumps(status)
