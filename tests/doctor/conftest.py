"""A patient for the tests of the doctor."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doctor.patient import Patient


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    """A machine with nothing on it."""
    return Patient(tmp_path)
