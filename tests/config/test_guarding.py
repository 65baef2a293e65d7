"""Addresses and what their doors need."""

from __future__ import annotations

import re

import pytest

from gatewayd.config.door import ClientCertificate, Door, Tls, TlsFiles
from gatewayd.config.load import parse
from gatewayd.config.problem import ConfigError, Place
from gatewayd.config.schema import Address, Config

USERS = "users: users\n"
KEYS = "tls: {certificate: a.crt, key: a.key}\n"
ALL_KEYS = "tls: {certificate: a.crt, key: a.key, client_ca: ca.crt}\n"


def of(addresses: str, top: str = "") -> Config:
    """A port with these addresses, at line 3 from column 27 on when there is no `top`."""
    return parse(f"version: 1\n{top}ports:\n  a: {{device: /dev/none, {addresses}}}\n", "d/f")


def problems(addresses: str, top: str = "") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        of(addresses, top)
    return [str(problem) for problem in caught.value.problems]


def test_an_address_at_length() -> None:
    config = of(
        "rfc2217: [7001, {listen: 7992, tls: implicit, client_certificate: required}]", ALL_KEYS
    )
    short, long = config.ports[0].rfc2217
    assert (short, long) == (Address("127.0.0.1", 7001), Address("127.0.0.1", 7992))
    assert short.door == Door()
    assert long.door == Door(Tls.IMPLICIT, ClientCertificate.REQUIRED)
    assert (short.where, long.where) == (Place("d/f", 4, 36), Place("d/f", 4, 51))


def test_metrics_say_who_may_scrape_them() -> None:
    (told,) = problems("raw: 1", "metrics: 0.0.0.0:9317\n")
    assert told.startswith("d/f:2:10: metrics: 0.0.0.0:9317 can be reached from other machines")
    for how in ("allow: [10.0.0.0/8]", "clear_text: true"):
        assert of("raw: 1", f"metrics: {{listen: 0.0.0.0:9317, {how}}}\n").metrics[0].port == 9317
    (at,) = of("raw: 1", "allow: 10.0.0.0/8\nmetrics: 0.0.0.0:9317\n").metrics
    assert [str(network) for network in at.door.allow] == ["10.0.0.0/8"]
    (told,) = problems("raw: 1", "metrics: {listen: 9317, tls: implicit}\n")
    assert "tls" in told


def test_paths_begin_at_the_directory_of_the_file() -> None:
    top = "tls: {certificate: tls/a.crt, key: /etc/a.key, client_ca: 'credential:ca'}\n"
    assert of("raw: 1", top).tls == TlsFiles("d/tls/a.crt", "/etc/a.key", "credential:ca")


@pytest.mark.parametrize(
    ("addresses", "top", "what"),
    [
        ("raw: {listen: 1, tls: implicit}", "", "d/f:3:40: ports.a.raw: tls: implicit needs"),
        (
            "raw: {listen: 1, tls: implicit, client_certificate: optional}",
            KEYS,
            "write client_ca: ",
        ),
        ("raw: {listen: 1, client_certificate: required}", ALL_KEYS, "write tls: implicit as well"),
        ("raw: {tls: none}", "", "listen is missing"),
        ("raw: {listen: 1, login: required}", USERS, "login is for Telnet only"),
        ("rfc2217: {listen: 1, login: required}", "", "write users: users at the top"),
        (
            "rfc2217: {listen: 0.0.0.0:1, login: required, allow: 10.0.0.0/8}",
            USERS,
            "a password could be read on the way",
        ),
        (
            "rfc2217: {listen: 1, login: required, tls: optional}",
            f"{KEYS}{USERS}",
            "a password is not asked for in clear text",
        ),
        (
            "rfc2217: {listen: 0.0.0.0:1, allow: 10.0.0.0/8}, users: [alice]",
            "",
            "nobody has to prove here who he is",
        ),
        (
            "rfc2217: {listen: 0.0.0.0:1, tls: starttls, login: offered}, users: alice",
            f"{KEYS}{USERS}",
            "nobody has to prove here who he is",
        ),
        ("rfc2217: 1, users: 'a b'", "", "is no user's name"),
        ("rfc2217: 1", "kerberos: {keytab: a}\n", "principals is missing"),
        ("rfc2217: 1", "kerberos: {keytab: a, principals: {}}\n", "found an empty mapping"),
        ("rfc2217: 1", "kerberos: {keytab: a, principals: {alice: a}}\n", "is no principal"),
        ("rfc2217: 1", "kerberos: {keytab: a, principals: {a@L: -f}}\n", "is no user's name"),
        ("rfc2217: 1", "kerberos: {keytab: a, principals: {a@L: a, a@L: b}}\n", "duplicate key"),
        (
            "rfc2217: {listen: 0.0.0.0:1, login: required}",
            "kerberos: {keytab: a, principals: {a@L: a}}\n",
            "can be reached from other machines, in clear text and by anybody",
        ),
        ("raw: [2, {listen: 1, tsl: none}]", "", "did you mean 'tls'?"),
        ("raw: 1", "tls: {certificate: a}\n", "key is missing"),
        ("raw: 1", "tls: {certificate: a, key: 'credential:a b'}\n", "credential:NAME"),
    ],
)
def test_what_is_wrong_with_a_door(addresses: str, top: str, what: str) -> None:
    (told,) = problems(addresses, top)
    assert what in told


def test_two_addresses_at_length_clash() -> None:
    (told,) = problems("raw: {listen: 7001}, rfc2217: [{listen: 0.0.0.0:7001}]")
    assert "cannot be beside" in told


@pytest.mark.parametrize(
    ("addresses", "top"),
    [
        ("raw: {listen: 0.0.0.0:7001, tls: implicit}", KEYS),
        ("rfc2217: {listen: '[::]:7001', tls: starttls}", KEYS),
        ("raw: {listen: 0.0.0.0:7001, allow: 10.0.0.0/8}", ""),
        ("raw: {listen: 0.0.0.0:7001, clear_text: true}", ""),
        ("raw: 0.0.0.0:7001, allow: [10.0.0.0/8, '::1']", ""),
        ("raw: 0.0.0.0:7001", "allow: 10.0.0.0/8\n"),
        ("raw: [7001, '[::1]:7001', 127.9.9.9:7001]", ""),
        (
            "rfc2217: {listen: 0.0.0.0:1, login: required, allow: 10.0.0.0/8}",
            "kerberos: {keytab: a, principals: {host/pi@LAB: pi}}\n",
        ),
    ],
)
def test_an_address_that_others_reach_and_that_is_guarded(addresses: str, top: str) -> None:
    assert of(addresses, top).ports


@pytest.mark.parametrize(
    ("addresses", "top", "what"),
    [
        ("raw: 0.0.0.0:7001", "", "write {listen: 0.0.0.0:7001, tls: implicit} for TLS"),
        ("raw: '[::]:7001'", "", "write {listen: '[::]:7001', tls: implicit} for TLS"),
        ("raw: [7001, 10.0.0.1:7001]", "", "10.0.0.1:7001 can be reached from other machines"),
        ("rfc2217: {listen: 0.0.0.0:7001, tls: optional}", KEYS, "in clear text and by anybody"),
        ("raw: {listen: 7001, tls: starttls}", KEYS, "for Telnet only; write tls: implicit"),
        ("raw: {listen: 1, allow: 10.0.0.1/8}", "", "write 10.0.0.0/8 for all of it"),
        ("raw: {listen: 1, allow: lab}", "", "'lab' is no network"),
        ("raw: {listen: 1, allow: 10.0.0.0/33}", "", "is no network"),
        (
            "rfc2217: {listen: 1, tls: optional, client_certificate: required}",
            ALL_KEYS,
            "write tls: starttls",
        ),
    ],
)
def test_an_address_that_is_not_guarded(addresses: str, top: str, what: str) -> None:
    (told,) = problems(addresses, top)
    assert what in told


def test_what_the_error_says_to_write_is_right() -> None:
    (told,) = problems("raw: '[::]:7001'")
    written = re.search(r"write (\{.*?\})", told)
    assert written is not None
    assert of(f"raw: {written[1]}", KEYS).ports[0].raw[0].door.tls is Tls.IMPLICIT


def test_the_nearest_list_counts_alone() -> None:
    own, other = (
        "raw: [7001, 0.0.0.0:7002, {listen: 0.0.0.0:7003, allow: 10.3.0.0/16}]",
        "allow: 10.2.0.0/16",
    )
    top = "allow: 10.1.0.0/16\n"
    assert [str(*a.door.allow) for a in of(own, top).ports[0].raw] == [
        *("", "10.1.0.0/16", "10.3.0.0/16"),
    ]
    assert [str(*a.door.allow) for a in of(f"{own}, {other}", top).ports[0].raw] == [
        *("", "10.2.0.0/16", "10.3.0.0/16"),
    ]


def test_who_may_come_is_said_once_for_all_addresses_where_it_is_proved() -> None:
    config = of(
        "users: [alice, bob], rfc2217: [1, {listen: 2, login: required}, {listen: 0.0.0.0:3, "
        "tls: implicit, client_certificate: required}]",
        f"{ALL_KEYS}{USERS}",
    )
    assert config.users == "d/users"
    names = [address.door.users for address in config.ports[0].rfc2217]
    assert names == [(), ("alice", "bob"), ("alice", "bob")]
