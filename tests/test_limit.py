"""The time limit that tests/conftest.py puts on every test, seen from outside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HANGING = """
import time
import pytest

@pytest.mark.limit(0.2)
def test_hangs():
    time.sleep(60)

@pytest.mark.limit(0.2)
def test_explains_for_ever():
    numbers = [str(n) for n in range(20_000)]
    assert numbers == numbers[1:] + ["x"]

@pytest.fixture
def hanging():
    yield
    time.sleep(60)

@pytest.mark.limit(0.2)
def test_leaves_something_that_hangs(hanging):
    pass

def test_goes_on():
    pass
"""


def test_a_test_that_hangs_fails_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "test_hanging.py").write_text(HANGING)
    rules = Path(__file__).with_name("conftest.py")
    (tmp_path / "conftest.py").write_text(rules.read_text())
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = limit\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-vv", "-p", "no:cacheprovider", str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert "2 failed, 2 passed, 1 error" in done.stdout
    assert "the test is not over after 0.2 s" in done.stdout
    assert "the teardown is not over after 0.2 s" in done.stdout
