"""What two ports cannot share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.config.clash import AddressUse, DeviceUse, address_clashes, device_clashes
from gatewayd.config.problem import Place
from gatewayd.config.schema import Address
from gatewayd.device.match import DeviceMatch


def told(one: str | DeviceMatch, other: str | DeviceMatch) -> list[str]:
    uses = [DeviceUse("a", Place("f", 3, 5), one), DeviceUse("b", Place("f", 9, 5), other)]
    return [str(problem) for problem in device_clashes(uses)]


def test_the_same_path() -> None:
    assert told("/dev/none", "/dev/none") == [
        "f:9:5: ports.b.device: /dev/none is the device of a on line 3 already; one device is one "
        "port, which may have several addresses"
    ]
    assert told("/dev/none", "/dev/nine") == []


def test_an_address_of_the_gateway_itself() -> None:
    port = AddressUse("psu1", Place("f", 3, 5), "raw", Address("127.0.0.1", 7001))
    ours = [
        AddressUse("", Place("f", 8, 5), "metrics", Address(host, 7001))
        for host in ("127.0.0.1", "0.0.0.0")
    ]
    assert [str(problem) for problem in address_clashes([port, ours[0]])] == [
        "f:8:5: metrics: 127.0.0.1:7001 cannot be beside 127.0.0.1:7001, the raw of psu1 on "
        "line 3; take another number"
    ]
    assert [str(problem) for problem in address_clashes(ours)] == [
        "f:8:5: metrics: 0.0.0.0:7001 cannot be beside 127.0.0.1:7001, which metrics on line 8 "
        "has; take another number"
    ]


def test_two_links_to_one_tty(tmp_path: Path) -> None:
    master, slave = os.openpty()
    try:
        (tmp_path / "one").symlink_to(os.ttyname(slave))
        (tmp_path / "two").symlink_to(tmp_path / "one")
        one, two = str(tmp_path / "one"), str(tmp_path / "two")
        assert len(told(one, two)) == len(told(os.ttyname(slave), one)) == 1
        assert f"already, as {one}" in told(one, two)[0]
        assert told(one, "/dev/null") == []
    finally:
        os.close(master)
        os.close(slave)


def test_links_that_lead_nowhere_yet(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to(tmp_path / "absent")
    assert len(told(str(tmp_path / "one"), str(tmp_path / "absent"))) == 1


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        (DeviceMatch(serial="A"), DeviceMatch(serial="A"), True),
        (DeviceMatch(serial="A"), DeviceMatch(serial="B"), False),
        (DeviceMatch(serial="A"), DeviceMatch(serial="A", interface=1), True),
        (DeviceMatch(serial="A", interface=0), DeviceMatch(serial="A", interface=1), False),
        (DeviceMatch(vid="0403", pid="6001"), DeviceMatch(vid="0403"), True),
        (DeviceMatch(vid="0403"), DeviceMatch(serial="A"), False),
        (DeviceMatch(serial="A"), "/dev/ttyUSB0", False),
    ],
)
def test_matches(one: DeviceMatch, other: str | DeviceMatch, clash: bool) -> None:
    assert bool(told(one, other)) is bool(told(other, one)) is clash


PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        "serial": st.sampled_from("AB"),
        "usb_path": st.sampled_from(["1-1", "1-2"]),
        "interface": st.integers(0, 1),
        "vid": st.just("0403"),
    },
).filter(lambda found: found.keys() - {"interface"})


def overlap(one: dict[str, object], other: dict[str, object]) -> bool:
    return one.items() <= other.items() or other.items() <= one.items()


@given(st.lists(PROPERTIES, max_size=8))
def test_the_first_match_that_overlaps_is_named(given: list[dict[str, object]]) -> None:
    uses = [
        DeviceUse(f"p{n}", Place("f", n + 1, 1), DeviceMatch(**one))  # type: ignore[arg-type]
        for n, one in enumerate(given)
    ]
    expected = {}
    for n, one in enumerate(given):
        firsts = [k for k, other in enumerate(given[:n]) if overlap(one, other)]
        if firsts:
            expected[n + 1] = f"the device of p{firsts[0]} on line {firsts[0] + 1} already"
    told = {problem.place.line: problem.text for problem in device_clashes(uses)}
    assert told.keys() == expected.keys()
    assert all(expected[line] in text for line, text in told.items())


def test_many_ports_are_judged_in_one_pass() -> None:
    """Each compared with each would take minutes: the time limit of a test ends it."""
    many = 20_000
    devices = [
        DeviceUse(
            f"p{n}", Place("f", n + 1, 1), DeviceMatch(serial=str(n % (many - 1)), vid="0403")
        )
        for n in range(many)
    ]
    (told,) = device_clashes(devices)
    assert told.place.line == many
    addresses = [
        AddressUse(
            "a", Place("f", n + 1, 1), "raw", Address(f"127.{n // 250}.0.{n % 250 + 1}", 7001)
        )
        for n in range(many)
    ]
    assert address_clashes(addresses) == []
    everywhere = AddressUse("b", Place("f", many + 1, 1), "raw", Address("::", 7001))
    (told,) = address_clashes([*addresses, everywhere])
    assert "beside 127.0.0.1:7001, the raw of a on line 1" in told.text


def clash(one: Address, other: Address) -> bool:
    uses = [
        AddressUse("a", Place("f", 3, 5), "rfc2217", one),
        AddressUse("b", Place("f", 9, 5), "raw", other),
    ]
    return bool(address_clashes(uses))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("0.0.0.0", "127.0.0.1", True),
        ("::", "127.0.0.1", True),
        ("::", "0.0.0.0", True),
        ("::", "::1", True),
        ("0.0.0.0", "::1", False),
        ("::1", "127.0.0.1", False),
    ],
)
def test_addresses_with_wildcards(one: str, other: str, expected: bool) -> None:
    assert clash(Address(one, 7001), Address(other, 7001)) is expected
    assert clash(Address(other, 7001), Address(one, 7001)) is expected
    assert not clash(Address(one, 7001), Address(other, 7002))


def test_any_free_port_is_free() -> None:
    assert not clash(Address("127.0.0.1", 0), Address("127.0.0.1", 0))


def test_the_earlier_one_is_named() -> None:
    uses = [
        AddressUse("a", Place("f", 3, 5), "rfc2217", Address("0.0.0.0", 7001)),
        AddressUse("a", Place("f", 4, 5), "raw", Address("127.0.0.1", 7001)),
        AddressUse("b", Place("f", 9, 5), "raw", Address("127.0.0.1", 7001)),
    ]
    assert [str(problem) for problem in address_clashes(uses)] == [
        "f:4:5: ports.a.raw: 127.0.0.1:7001 cannot be beside 0.0.0.0:7001, the rfc2217 of this "
        "port on line 3; take another number",
        "f:9:5: ports.b.raw: 127.0.0.1:7001 cannot be beside 0.0.0.0:7001, the rfc2217 of a on "
        "line 3; take another number",
    ]


HOSTS = st.sampled_from(["0.0.0.0", "127.0.0.1", "127.0.0.2", "::", "::1"])


@given(st.lists(st.builds(Address, HOSTS, st.integers(7001, 7003)), max_size=8))
def test_a_clash_is_told_once_for_each_later_address(addresses: list[Address]) -> None:
    uses = [
        AddressUse(f"p{n}", Place("f", n + 1, 1), "raw", one) for n, one in enumerate(addresses)
    ]
    expected = {
        n + 1
        for n, one in enumerate(addresses)
        if any(clash(other, one) for other in addresses[:n])
    }
    problems = address_clashes(uses)
    for problem in problems:
        one = addresses[problem.place.line - 1]
        first = next(k for k, other in enumerate(addresses) if clash(other, one))
        assert f"on line {first + 1};" in problem.text
    assert {problem.place.line for problem in problems} == expected
    assert len(problems) == len(expected)
