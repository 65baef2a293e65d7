"""The page and the browser, for all tests of this directory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.rig import Rig, rig

pytest.importorskip("h11")
pytest.importorskip("wsproto")


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A daemon and the page; tests leave its ports free behind them."""
    with rig(tmp_path_factory.mktemp("page")) as running:
        yield running
