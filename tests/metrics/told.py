"""An answer of `Status`, and what the parsers of prometheus_client make of metrics."""

from __future__ import annotations

from typing import Any

from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as older

from gatewayd.metrics.text import Form


def port(name: str, **others: Any) -> dict[str, Any]:
    """A port without anything that happened, but for `others`."""
    plain: dict[str, Any] = {
        "name": name,
        "description": "",
        "device": "/dev/ttyUSB0",
        "state": "ready",
        "signals": None,
        "session": None,
        "record": None,
        "watchers": [],
        "lease": None,
        "last_received": None,
        **dict.fromkeys(("sessions", "refused", "losses", "received", "sent"), 0),
        **dict.fromkeys(("received_discarded", "sent_discarded", "missed", "takeovers"), 0),
        **dict.fromkeys(("breaks", "framing_errors", "parity_errors"), 0),
        **dict.fromkeys(("overruns", "buffer_overruns"), 0),
    }
    return {**plain, **others}


def status(*ports: dict[str, Any]) -> dict[str, Any]:
    """A gateway with these ports."""
    return {"version": "1.2", "since": "2026-11-25T09:12:03+01:00", "ports": list(ports)}


def parsed(text: str, form: Form) -> dict[str, Metric]:
    """The families in a text, by their names."""
    parse = openmetrics if form is Form.OPENMETRICS else older
    return {family.name: family for family in parse(text)}


def values(text: str, form: Form) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """All samples, by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parsed(text, form).values()
        for sample in family.samples
    }


def value(text: str, form: Form, name: str, **labels: str) -> float | None:
    """One sample; None where there is none."""
    return values(text, form).get((name, frozenset(labels.items())))
