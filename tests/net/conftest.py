"""What every test of the net gets: a look for sockets left open, and hosts for those who ask."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from gatewayd.line.gather import Gatherer
from gatewayd.net.inflow import Inflow
from tests.line.descriptors import none_left_open
from tests.net.hosts import Hosts


@pytest.fixture(autouse=True)
def _no_descriptor_left() -> Iterator[None]:
    with none_left_open():
        yield


@pytest.fixture(params=["alone", "gathered"])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each client is read as it comes, or together with others, as one whose line streams both
    ways; also when it was not read for a while."""
    if request.param == "alone":
        return
    places: dict[asyncio.AbstractEventLoop, Gatherer] = {}
    resume = Inflow.resume

    def resumes(inflow: Inflow) -> None:
        resume(inflow)
        loop = asyncio.get_running_loop()
        if loop not in places:
            places[loop] = Gatherer(loop)
        inflow.gather(places[loop])

    monkeypatch.setattr(Inflow, "resume", resumes)


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """Two hosts, if this machine lets us have them."""
    if shutil.which("ip") is None:
        pytest.skip("iproute2 is not installed")
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    hosts = Hosts()
    try:
        hosts.make()
    except subprocess.CalledProcessError as error:
        hosts.remove()
        pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
    yield hosts
    hosts.remove()
