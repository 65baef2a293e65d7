"""The two text forms of metrics.

OpenMetrics 1.0 (https://prometheus.io/docs/specs/om/open_metrics_spec/) and the older text format
0.0.4 of Prometheus. Both have the same samples; they differ in what is said about them.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

_ESCAPES: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


class Form(enum.Enum):
    """A form; the value is its media type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Kind(enum.Enum):
    """What a family of samples is; the value is the end of their names."""

    COUNTER = "_total"
    GAUGE = ""
    INFO = "_info"


@dataclass(frozen=True, slots=True)
class Family:
    """Samples of one kind. `name` has the unit at its end, and not what the kind adds to it."""

    name: str
    kind: Kind
    help: str
    samples: Iterable[tuple[str, float]]
    """Labels, as `labels` makes them, and value."""
    unit: str = ""


def labels(values: Mapping[str, str]) -> str:
    """Labels as they are written: `port="psu1",kind="parity"`."""
    return ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in values.items())


def render(families: Iterable[Family], form: Form) -> str:
    """All of them, as a scraper reads it. Families without samples are left out."""
    lines: list[str] = []
    for family in families:
        samples = [
            f"{family.name}{family.kind.value}{{{written}}} {value}\n"
            if written
            else f"{family.name}{family.kind.value} {value}\n"
            for written, value in family.samples
        ]
        if samples:
            lines += _head(family, form)
            lines += samples
    if form is Form.OPENMETRICS:
        lines.append("# EOF\n")
    return "".join(lines)


def _head(family: Family, form: Form) -> Iterator[str]:
    if form is Form.OPENMETRICS:
        name, kind = family.name, family.kind.name.lower()
    else:
        # There the sample's own name is that of the family, and nothing is only for information.
        name = family.name + family.kind.value
        kind = "counter" if family.kind is Kind.COUNTER else "gauge"
    yield f"# HELP {name} {family.help}\n"
    yield f"# TYPE {name} {kind}\n"
    if family.unit and form is Form.OPENMETRICS:
        yield f"# UNIT {name} {family.unit}\n"
