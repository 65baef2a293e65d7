"""The unit files, as far as they can be judged without running them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "systemd"
SERVICE = UNITS / "gatewayd.service"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_the_service_is_exposed_no_more_than_13_tenths() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=13", "--no-pager", SERVICE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Overall exposure level" in done.stdout
