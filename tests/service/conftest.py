"""What several tests of the daemon begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.manager import Manager
from tests.service.rack import Rack
from tests.service.restarting import Bench


@pytest.fixture
def rack(tmp_path: Path) -> Iterator[Rack]:
    rack = Rack(tmp_path)
    with rack.one, rack.two:
        yield rack


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Manager(tmp_path) as manager:
        bench = Bench(tmp_path, manager)
        with bench.adapter:
            yield bench
