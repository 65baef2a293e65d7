"""Who holds a device."""

from __future__ import annotations

import os

from gatewayd.line.holder import describe_holder
from tests.line.holding import another_process_holding
from tests.line.pty import Pty


def test_a_process_is_named_with_its_pid_also_through_a_link(
    pty: Pty, tmp_path: os.PathLike[str]
) -> None:
    link = os.path.join(tmp_path, "scope")
    os.symlink(pty.path, link)
    with another_process_holding(pty.path, "flock") as pid:
        said = describe_holder(link)
    assert said is not None
    assert said.endswith(f"(pid {pid})")
    assert said.startswith("python")


def test_nobody_is_named_when_only_we_have_it(pty: Pty) -> None:
    assert describe_holder(pty.path) is None


def test_our_other_descriptor_is_this_process(pty: Pty) -> None:
    assert describe_holder(pty.path, -1) == f"this process (pid {os.getpid()})"
    assert describe_holder(pty.path, pty.slave) is None
