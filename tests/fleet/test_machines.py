"""What was found on the network, machine by machine; and that a stranger's word is bounded."""

from __future__ import annotations

import pytest

from gatewayd.fleet.listing import Found
from gatewayd.fleet.machines import LONGEST, MOST_AWAY, Reached, machines, remembered

STACK = "telnet(rfc2217),tcp"


def port(name: str, host: str = "pi1", at: int = 7001, **txt: str) -> Found:
    whole = {"provider": "gatewayd", "port": name, "gensiostack": STACK, "held": "0", **txt}
    service = f"{name} on {host}, {at}"
    return Found(service, "_iostream._tcp", f"{host}.local", "10.0.4.17", at, whole)


def gateway(host: str = "pi1", *, local: bool = False, **txt: str) -> Found:
    return Found(host, "_gatewayd._tcp", f"{host}.local", "10.0.4.17", 0, txt, local)


def desk(host: str = "pi1", **txt: str) -> Found:
    return Found(host, "_telnet._tcp", f"{host}.local", "10.0.4.17", 2323, txt)


def test_ports_are_under_their_machines_and_this_one_is_first() -> None:
    found = [port("a", "pi1"), port("b", "pi0"), port("c"), gateway("pi1", local=True), gateway()]
    told = machines(found)
    assert list(told) == ["pi1", "pi0"]
    assert [one.name for one in told["pi1"].ports] == ["a", "c"]
    assert told["pi1"].local
    assert (told["pi0"].version, told["pi0"].away) == ("", 0)


def test_a_port_with_two_addresses_is_one() -> None:
    (one,) = machines([port("a", at=7001), port("a", at=7011, held="1")])["pi1"].ports
    assert one == Reached(
        "a", "gatewayd", "free", "", ("rfc2217 10.0.4.17:7001", "rfc2217 10.0.4.17:7011")
    )


@pytest.mark.parametrize(
    ("stack", "place"),
    [
        ("tcp", "raw 10.0.4.17:7001"),
        ("telnet,tcp", "telnet 10.0.4.17:7001"),
        ("telnet(rfc2217),ssl,tcp", "rfc2217 10.0.4.17:7001"),
        ("ssl,tcp", "TLS 10.0.4.17:7001"),
        ("", "10.0.4.17:7001"),
    ],
)
def test_what_is_spoken_is_said(stack: str, place: str) -> None:
    (one,) = machines([port("a", gensiostack=stack, provider="ser2net")])["pi1"].ports
    assert (one.places, one.provider) == ((place,), "ser2net")


def test_a_desk_is_a_gateway_s_own() -> None:
    told = machines([gateway(version="1"), desk(provider="gatewayd"), desk("printer")])
    assert list(told) == ["pi1"]
    assert told["pi1"].desk == "10.0.4.17:2323"


def test_what_is_not_told_of_is_away_and_its_name_is_remembered() -> None:
    before = machines([gateway(ports="2"), port("a"), port("b")])
    now = remembered(machines([gateway(ports="2"), port("a")]), before)
    assert [(one.name, one.state, one.places) for one in now["pi1"].ports] == [
        ("a", "free", ("rfc2217 10.0.4.17:7001",)),
        ("b", "away", ()),
    ]
    assert now["pi1"].away == 0
    # One more goes, and it is known which; one that was never seen has no name.
    later = remembered(machines([gateway(ports="3")]), now)
    assert [(one.name, one.state) for one in later["pi1"].ports] == [("a", "away"), ("b", "away")]
    assert later["pi1"].away == 1
    # The file of the gateway has one less: who went first is taken for that.
    least = remembered(machines([gateway(ports="1")]), now)
    assert [(one.name, one.state) for one in least["pi1"].ports] == [("a", "away")]
    assert remembered(machines([gateway(ports="0")]), now)["pi1"].ports == ()
    assert remembered({}, now) == {}


def test_a_stranger_s_word_is_bounded() -> None:
    long = "x\u202e" * 200
    found = [
        port(long, "h" * 300, provider=long, product=long),
        gateway("h" * 300, version=long, ports="9999"),
        gateway("other", ports="9" * 5000),
    ]
    one = machines(found)["h" * (LONGEST - 1) + "…"]
    (reached,) = one.ports
    texts = (one.version, reached.name, reached.provider, reached.device)
    assert {len(text) for text in texts} == {LONGEST}
    assert all(text.isprintable() for text in texts)
    assert one.away == MOST_AWAY
    assert machines(found)["other"].away == 0


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://pi1.example:8323/", True),
        ("http://[fd00::17]:8323", True),
        ("http://10.0.4.17/page/", True),
        ("javascript:alert(1)//https://pi1/", False),
        ("https://pi1@evil.example/", False),
        ("https://pi1\\evil.example/", False),
        ("https:///x", False),
        ("//pi1/", False),
        ("https://pi1/\u202e", False),
        (f"https://pi1/{'x' * 250}", False),
        ("", False),
    ],
)
def test_a_page_is_a_url_that_says_where_it_leads(url: str, good: bool) -> None:
    assert machines([gateway(page=url)])["pi1"].page == (url if good else "")
