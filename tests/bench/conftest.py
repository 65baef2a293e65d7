"""The load generator and the relay, built."""

from __future__ import annotations

import shutil

import pytest

from bench.toolchain import Tools, build


@pytest.fixture(scope="session")
def tools() -> Tools:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler (cc) on this machine")
    return build()
