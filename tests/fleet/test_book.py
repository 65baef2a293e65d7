"""What a labgrid coordinator is told of each port."""

from __future__ import annotations

from typing import Any

from gatewayd.labgrid.book import Book, Resource


def port(name: str = "psu1", state: str = "ready", line: str = "9600 8N1") -> dict[str, Any]:
    return {"name": name, "state": state, "line": line}


def test_a_port_is_available_while_its_device_is_ready() -> None:
    book = Book()
    assert book.told(["psu1", "dut"], [port(), port("dut", "absent")]) == {"psu1", "dut"}
    assert book.of("psu1") == Resource(available=True, speed=9600)
    assert not book.of("dut").available
    assert book.told(None, [port("dut", "ready")]) == {"dut"}
    assert book.of("dut").available


def test_what_did_not_change_is_not_told() -> None:
    book = Book()
    book.told(["psu1"], [port()])
    assert book.told(None, [port()]) == set()
    assert book.told(None, [port(line="19200 7E1")]) == {"psu1"}


def test_who_has_acquired_a_port_keeps_it_whatever_becomes_of_it() -> None:
    book = Book()
    book.told(["psu1"], [port()])
    book.acquired("psu1", "bench", 4711)
    assert book.told([], []) == {"psu1"}
    assert book.of("psu1") == Resource(available=False, speed=9600, place="bench", port=4711)
    book.released("psu1")
    assert book.of("psu1") == Resource(available=False, speed=9600)


def test_without_gatewayd_nothing_is_available() -> None:
    book = Book()
    book.told(["psu1", "dut"], [port(), port("dut", "stuck")])
    assert book.silent() == {"psu1"}
    assert book.silent() == set()
