"""Which way bytes went."""

from __future__ import annotations

import enum


class Side(enum.Enum):
    """Who spoke; the value marks it in a text record."""

    DEVICE = "<"
    CLIENT = ">"
