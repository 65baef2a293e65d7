"""Addresses and what their doors need."""

from __future__ import annotations

import pytest

from gatewayd.config.door import ClientCertificate, Door, Tls, TlsFiles
from gatewayd.config.load import parse
from gatewayd.config.problem import ConfigError, Place
from gatewayd.config.schema import Address, Config

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
