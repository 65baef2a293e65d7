"""The files of Debian's ser2net package, as real input."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def debian_file(path: str) -> Path:
    """The file `path` of the package, fetched for the tests or installed; skips without it."""
    for place in (ROOT / ".venv" / "fetched" / "ser2net", Path("/")):
        if (place / path).exists():
            return place / path
    pytest.skip(f"Debian's ser2net with its {path} is neither fetched (./dev test) nor installed")
