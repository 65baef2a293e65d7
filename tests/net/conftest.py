"""What every test of the net gets: a look for sockets left open, and hosts for those who ask."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.line.descriptors import none_left_open
from tests.net.hosts import Hosts


@pytest.fixture(autouse=True)
def _no_descriptor_left() -> Iterator[None]:
    with none_left_open():
        yield


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
