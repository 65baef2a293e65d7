"""Requests of scrapers, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.metrics.http import BadRequest, Request, answer, parse, refusal
from gatewayd.metrics.text import Form

PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
NEWER = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


def request(
    *fields: str, line: str = "GET /metrics HTTP/1.1", host: str = "127.0.0.1:9317"
) -> Request:
    head = "\r\n".join((line, f"Host: {host}", *fields)) + "\r\n\r\n"
    return parse(head.encode(), loopback=True)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (PROMETHEUS, Form.OPENMETRICS),
        (NEWER, Form.OPENMETRICS),
        ("application/openmetrics-text", Form.OPENMETRICS),
        ("Application/OpenMetrics-Text; Version=1.0.0 ; Q=0.5", Form.OPENMETRICS),
        ("application/openmetrics-text;version=0.0.1", Form.TEXT),
        ("application/openmetrics-text;q=0", Form.TEXT),
        ("application/openmetrics-text;q=0.1, text/plain;q=0.2", Form.TEXT),
        ("text/html,application/xhtml+xml,*/*;q=0.8", Form.TEXT),
        ("text/plain;version=0.0.4", Form.TEXT),
        ("", Form.TEXT),
        (";;;,,q=", Form.TEXT),
    ],
)
def test_the_form_is_by_what_is_accepted(accept: str, form: Form) -> None:
    assert request(f"Accept: {accept}").form is form


def test_nothing_is_said_of_what_is_accepted() -> None:
    assert request() == Request(Form.TEXT, body=True)
    assert request(line="HEAD /metrics HTTP/1.1").body is False
    assert request(line="GET /metrics?format=x HTTP/1.1").body is True
    assert parse(b"GET /metrics HTTP/1.0\r\n\r\n", loopback=True).body is True


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET / HTTP/1.1\r\nHost: localhost", 404),
        ("GET /metrics/ HTTP/1.1\r\nHost: localhost", 404),
        ("POST /metrics HTTP/1.1\r\nHost: localhost", 405),
        ("GET /metrics HTTP/2.0\r\nHost: localhost", 505),
        ("GET /metrics HTTP/1.1", 400),
        ("GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: localhost", 400),
        ("GET /metrics HTTP/1.1\r\nHost : localhost", 400),
        ("GET /metrics HTTP/1.1\r\nHost: localhost\r\nno field", 400),
        ("GET  /metrics HTTP/1.1\r\nHost: localhost", 400),
        ("\x16\x03\x01\x02\x00\x01\x00", 400),
        ("", 400),
    ],
)
def test_what_is_not_served(head: str, status: int) -> None:
    with pytest.raises(BadRequest) as raised:
        parse(f"{head}\r\n\r\n".encode("latin-1"), loopback=True)
    assert raised.value.status == status
    assert refusal(raised.value).startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:1", "127.0.0.1", "[::1]:9317", "10.0.0.1"]
)
def test_hosts_on_loopback(host: str) -> None:
    assert request(host=host).body


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9317", "localhost.evil.example", ""]
)
def test_a_name_that_was_made_to_point_here_is_refused(host: str) -> None:
    with pytest.raises(BadRequest) as raised:
        request(host=host)
    assert raised.value.status == 403
    # From other machines we have names.
    head = f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    assert parse(head, loopback=False).body


@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    for head in (data, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: " + data):
        try:
            parse(head + b"\r\n\r\n", loopback=True)
        except BadRequest as error:
            refusal(error)


def test_an_answer_says_how_long_it_is() -> None:
    whole = answer(200, Form.TEXT.value, b"12345")
    assert b"\r\nContent-Length: 5\r\n" in whole
    assert whole.endswith(b"\r\n\r\n12345")
    assert answer(200, Form.TEXT.value, b"12345", with_body=False) == whole[:-5]
