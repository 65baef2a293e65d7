"""The unit files, as far as they can be judged without running them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "systemd"
EXPOSURE = {"gatewayd": 13, "gatewayd-web": 2}
"""In tenths; docs/service.md and docs/page.md tell them."""
PORTS = 256
"""As many as are measured; each a device, two addresses, one who holds it and some who watch."""


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
@pytest.mark.parametrize(("name", "tenths"), EXPOSURE.items())
def test_a_service_is_exposed_no_more_than_the_manual_says(name: str, tenths: int) -> None:
    judge = ["systemd-analyze", "security", "--offline=true", "--no-pager"]
    done = subprocess.run(
        [*judge, f"--threshold={tenths}", UNITS / f"{name}.service"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Overall exposure level" in done.stdout


def test_a_restart_can_keep_all_that_many_ports_have_open() -> None:
    unit = (UNITS / "gatewayd.service").read_text()
    limits = dict(re.findall(r"^(FileDescriptorStoreMax|LimitNOFILE)=(\d+)$", unit, re.MULTILINE))
    kept = PORTS * (1 + 2 + 1 + 2) + 1
    assert kept <= int(limits["FileDescriptorStoreMax"]) <= int(limits["LimitNOFILE"])
