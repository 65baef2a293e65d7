"""What is told, read back by prometheus_client in both forms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.metrics.families import ERRORS, families
from gatewayd.metrics.text import Family, Form, Kind, labels, render
from gatewayd.port.phase import Phase
from tests.metrics.told import parsed, port, status, value, values

each_form = pytest.mark.parametrize("form", Form)
PORTS = (
    port(
        "psu1",
        description='bench "supply"\\',
        signals=["DTR", "CTS"],
        session={"peer": "10.0.4.17:51234"},
        last_received="2026-11-25T09:12:03.118+01:00",
        received=1 << 53,
        sent=7,
        refused=2,
        watchers=[{"peername": "10.0.4.18:5"}, {"peername": "10.0.4.19:5"}],
        lease={"holder": "alice", "until": "2026-11-25T17:00:00+01:00", "host": "", "note": ""},
        overruns=3,
        buffer_overruns=4,
        record={"directory": "/var/log", "cause": "", "lost": 5},
    ),
    port("dut-a", state="absent", record={"directory": "/var/log", "cause": "full", "lost": 6}),
    port("free"),
)


@each_form
def test_each_value_is_read_as_it_was_told(form: Form) -> None:
    text = render(families(status(*PORTS)), form)

    def of(name: str, **more: str) -> float | None:
        return value(text, form, f"gatewayd_port_{name}", port="psu1", **more)

    assert of("received_bytes_total") == 1 << 53
    assert of("sent_bytes_total") == 7
    assert of("refused_total") == 2
    assert of("held") == 1
    assert of("watchers") == 2
    assert of("lease_expires_timestamp_seconds") == 1795622400
    assert of("state", state="ready") == 1
    assert of("state", state="absent") == 0
    assert of("line_errors_total", kind="overrun") == 3
    assert of("line_errors_total", kind="buffer_overrun") == 4
    assert [of("signal", signal=one) for one in ("DTR", "RTS", "CTS")] == [1, 0, 1]
    assert of("last_received_timestamp_seconds") == 1795594323.118
    assert of("recording") == 1
    assert of("unrecorded_bytes_total") == 5
    assert of("info", device="/dev/ttyUSB0", description='bench "supply"\\') == 1
    assert value(text, form, "gatewayd_port_recording", port="dut-a") == 0
    assert value(text, form, "gatewayd_build_info", version="1.2") == 1
    assert value(text, form, "gatewayd_start_time_seconds") == 1795594323
    # What a port does not have is not told of it.
    for absent in (
        "lease_expires_timestamp_seconds",
        "recording",
        "unrecorded_bytes_total",
        "last_received_timestamp_seconds",
    ):
        assert value(text, form, f"gatewayd_port_{absent}", port="free") is None


def test_both_forms_have_the_same_samples() -> None:
    both = [values(render(families(status(*PORTS)), form), form) for form in Form]
    assert both[0] == both[1]


def test_the_forms_differ_in_what_a_family_is() -> None:
    told = {form: render(families(status(*PORTS)), form) for form in Form}
    counter = "gatewayd_port_received_bytes"
    assert parsed(told[Form.OPENMETRICS], Form.OPENMETRICS)[counter].unit == "bytes"
    for form, text in told.items():
        assert parsed(text, form)[counter].type == "counter"
        assert (text.splitlines()[-1] == "# EOF") is (form is Form.OPENMETRICS)
    assert f"# TYPE {counter}_total counter\n" in told[Form.TEXT]


@each_form
def test_a_gateway_without_ports(form: Form) -> None:
    text = render(families(status()), form)
    assert set(parsed(text, form)) <= {
        *("gatewayd_build", "gatewayd_build_info"),
        "gatewayd_start_time_seconds",
    }


@each_form
def test_clients_are_no_labels(form: Form) -> None:
    text = render(families(status(*PORTS)), form)
    assert "10.0.4." not in text
    assert "alice" not in text


@each_form
@given(text=st.text())
def test_a_label_may_be_any_text(form: Form, text: str) -> None:
    # The parsers take lines apart at what str.splitlines does not; a description is printable.
    description = "".join(one for one in text if one.isprintable() or one == "\n")
    family = Family("f", Kind.GAUGE, "Help.", [(labels({"a": description}), 1)])
    found = parsed(render([family], form), form)["f"]
    assert [sample.labels for sample in found.samples] == [{"a": description}]


def test_every_state_and_error_has_its_word() -> None:
    text = render(families(status(*PORTS)), Form.TEXT)
    samples = parsed(text, Form.TEXT)["gatewayd_port_state"].samples
    assert {sample.labels["state"] for sample in samples} == {phase.value for phase in Phase}
    assert set(ERRORS.values()) <= PORTS[0].keys()
