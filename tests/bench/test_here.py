"""The table of a machine with nothing but gatewayd and a looped adapter."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.here import Effort, table
from bench.subjects import gatewayd
from bench.toolchain import PROJECT
from tests.watched import Watched


@pytest.fixture
def looped(tmp_path: Path) -> Iterator[Path]:
    """A tty that sends back what it is sent."""
    if shutil.which("socat") is None:
        pytest.skip("no socat on this machine")
    path = tmp_path / "looped"
    with Watched(["socat", "-d", "-d", f"PTY,link={path},raw,echo=0", "EXEC:cat"]) as loop:
        loop.wait_for("starting data transfer loop")
        yield path


def test_it_needs_a_looped_adapter_and_gatewayd(looped: Path) -> None:
    text = table(str(looped), 115200, [gatewayd(sys.executable)], Effort(20, 0.2, 0.2))
    rows = dict(line.strip("| ").split(" | ") for line in text.splitlines() if line[:1] == "|")
    assert rows["figure"] == "gatewayd"
    assert float(rows["bulk both ways, bytes lost"]) == 0
    assert float(rows["connect, COM-PORT, SET-BAUDRATE, close, per second"]) > 0
    assert f"{looped}, 115200 baud" in text


def test_a_device_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "bench/run", "--here", "--quick", "--device", str(tmp_path / "none")],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr == f"bench: {tmp_path}/none is not there\n"
    assert "Traceback" not in done.stderr
