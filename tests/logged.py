"""What was logged, by kind."""

from __future__ import annotations

import pytest

from gatewayd.log import Happening


def happenings(caplog: pytest.LogCaptureFixture) -> list[Happening]:
    return [vars(record)["happening"] for record in caplog.records]
