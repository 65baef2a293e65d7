"""The virtual machine as fixtures; where it cannot run, its tests are skipped with the reason."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.vm.channel import MachineError
from tests.vm.gateway import Gateway
from tests.vm.package import build_package

HERE = Path(__file__).parent
TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mmdebstrap": "mmdebstrap",
    "depmod": "kmod",
    "mke2fs": "e2fsprogs",
    "zstd": "zstd",
    "cc": "gcc libc6-dev",
}


def _obstacle() -> str | None:
    """Why there can be no virtual machine here."""
    if platform.machine() != "x86_64":
        return f"the virtual machine is an x86-64 one, and this is {platform.machine()}"
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    missing = [package for tool, package in TOOLS.items() if not shutil.which(tool, path=path)]
    if missing:
        return f"the virtual machine needs: apt-get install {' '.join(missing)}"
    return None


@pytest.fixture(scope="session")
def cache() -> Path:
    """Where the image is kept, outside of the tree."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(os.environ.get("GATEWAYD_VM_CACHE") or Path(home) / "gatewayd-vm")
    path.mkdir(parents=True, exist_ok=True)
    return path


SUITES = os.environ.get("SUITE", "bookworm trixie").split()
"""The oldest Debian that gatewayd supports and the newest."""


@pytest.fixture(scope="session", params=SUITES)
def suite(request: pytest.FixtureRequest) -> str:
    """The Debian of the guest."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def image(cache: Path, suite: str) -> Path:
    """The guest, made by build-image where it is not current."""
    obstacle = _obstacle()
    if obstacle:
        pytest.skip(obstacle)
    command = [str(HERE / "build-image"), str(cache)]
    environment = {**os.environ, "SUITE": suite}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode and os.geteuid():
        how = f"sudo SUITE={suite} {' '.join(command)}"
        pytest.skip(f"root has to make the virtual machine's image: {how}")
    assert done.returncode == 0, done.stderr
    return cache / f"image-{suite}"


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory, image: Path) -> Path:
    """The Debian package, built from this tree."""
    return build_package(tmp_path_factory.mktemp("package"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the gateway in the machine logged when its test failed."""
    report = yield
    gateway = item.funcargs.get("gateway")
    if report.failed and isinstance(gateway, Gateway):
        try:
            log = gateway.vm.run(
                "journalctl -u gatewayd -o short-monotonic -n 50; dmesg | tail", check=False
            ).stdout
        except MachineError as error:
            # It may have been QEMU that failed: the other tests go on.
            log = str(error)
        report.sections.append(("log of the guest", log))
    return report
