"""Processes, holders and accounts, on paper and on the machine that runs the tests."""

from __future__ import annotations

import grp
import os
import pty
import pwd
from pathlib import Path

import pytest

from gatewayd.doctor.machine import Account, Machine, account, group_name
from tests.doctor.patient import Patient


@pytest.mark.parametrize(
    ("mode", "owner", "member", "stranger"),
    [
        (0o600, True, False, False),
        (0o060, False, True, False),
        (0o006, False, False, True),
        (0o660, True, True, False),
        (0o664, True, True, False),
        (0o640, True, False, False),
        (0o420, False, False, False),
    ],
)
def test_access_by_mode(
    tmp_path: Path, mode: int, owner: bool, member: bool, stranger: bool
) -> None:
    file = tmp_path / "tty"
    file.touch()
    os.chmod(file, mode)
    status = os.stat(file)
    other = status.st_uid + 1
    assert Account("x", other, frozenset({status.st_gid})).may_use(status) is member
    assert Account("x", other, frozenset({status.st_gid + 1})).may_use(status) is stranger
    if status.st_uid:
        assert Account("x", status.st_uid, frozenset()).may_use(status) is owner
    assert Account("root", 0, frozenset()).may_use(status)


def test_processes_and_who_holds_a_device(patient: Patient) -> None:
    node = patient.adapter()
    patient.process(4711, "minicom", "minicom", "-D", str(node), holds=node)
    patient.process(12, "python3", "/usr/bin/python3", "/usr/bin/gatewayd", "run", holds=node)
    patient.process(99, "bash")
    patient.write("proc/self-made/comm", "x")
    found = {process.pid: process for process in patient.machine.processes()}
    assert sorted(found) == [12, 99, 4711]
    assert found[12].is_gateway
    assert not found[4711].is_gateway
    assert [process.pid for process in patient.machine.holders(node)] == [12, 4711]


def test_who_holds_a_real_device() -> None:
    ours, theirs = pty.openpty()
    node = Path(os.ttyname(theirs))
    machine = Machine(account())
    assert [process.pid for process in machine.holders(node)] == [os.getpid()]
    os.close(theirs)
    assert list(machine.holders(node)) == []
    os.close(ours)


def test_a_machine_without_proc_has_no_processes(patient: Patient) -> None:
    assert list(patient.machine.processes()) == []


def test_accounts_come_with_their_groups() -> None:
    root = account("root")
    assert (root.uid, root.gids) == (0, frozenset(os.getgrouplist("root", 0)))
    with pytest.raises(KeyError):
        account("nobody-has-this-name")


def test_the_default_account_is_the_services_or_the_callers() -> None:
    names = {user.pw_name for user in pwd.getpwall()}
    expected = "gatewayd" if "gatewayd" in names else pwd.getpwuid(os.getuid()).pw_name
    assert account().name == expected


def test_a_group_without_a_name_is_a_number() -> None:
    assert group_name(0) == "root"
    unused = max(group.gr_gid for group in grp.getgrall() if group.gr_gid < 60000) + 1
    assert group_name(unused) == str(unused)
