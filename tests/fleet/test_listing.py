"""What was found on the network, as gateways with ports."""

from __future__ import annotations

import pytest

from gatewayd.errors import GatewayError
from gatewayd.fleet.listing import Found, fleet, table
from gatewayd.fleet.remote import Place, argv, ask, place

PSU1 = {"provider": "gatewayd", "port": "psu1", "gensiostack": "telnet(rfc2217),tcp", "held": "1"}


def told(name: str, address: str = "10.0.4.17", port: int = 7001, **txt: str) -> Found:
    return Found(name, "_iostream._tcp", "pi1.local", address, port, {**PSU1, **txt})


def gateway(**txt: str) -> Found:
    return Found("pi1", "_gatewayd._tcp", "pi1.local", "10.0.4.17", 0, txt)


def test_a_port_that_is_seen_on_several_links_is_listed_once_with_its_best_address() -> None:
    addresses = ("fe80::1", "fd00::17", "10.0.4.17", "127.0.0.1", "::1")
    (listed,) = fleet(told("psu1 on pi1", address) for address in addresses).ports
    assert listed.address == "10.0.4.17:7001"
    (listed,) = fleet(told("psu1 on pi1", address) for address in addresses[:2]).ports
    assert listed.address == "[fd00::17]:7001"


def test_the_table_is_for_people() -> None:
    ports = fleet([told("b", port=7002, held="0"), told("a", product="Supply")]).ports
    heading, *lines = table(ports)
    assert heading.split() == ["GATEWAY", "PORT", "ADDRESS", "SPEAKS", "STATE", "WHO", "DEVICE"]
    assert [line.split() for line in lines] == [
        ["pi1", "psu1", "10.0.4.17:7001", "rfc2217", "in", "use", "Supply"],
        ["pi1", "psu1", "10.0.4.17:7002", "rfc2217", "free"],
    ]


def test_a_stranger_writes_nothing_on_the_terminal() -> None:
    strange = Found("x", "_iostream._tcp", "\x1b[2J.local", "10.0.0.1", 1, {"port": "\x1b]0;a\x07"})
    text = "\n".join(table(fleet([strange]).ports))
    assert all(char.isprintable() or char == "\n" for char in text)


@pytest.mark.parametrize(
    ("text", "expected"), [("9317", ["10.0.4.17:9317"]), ("9317x", []), ("", [])]
)
def test_metrics_are_targets_of_prometheus(text: str, expected: list[str]) -> None:
    targets = fleet([gateway(metrics=text)]).targets()
    assert [target for one in targets for target in one["targets"]] == expected
    assert all(one["labels"] == {"gateway": "pi1"} for one in targets)


def test_a_place_is_a_host_and_a_port() -> None:
    assert place("psu1") is None
    assert place("pi1/psu1") == Place("pi1", "psu1")
    assert place("lab@pi1.lab/psu1") == Place("lab@pi1.lab", "psu1")
    assert place("pi1/", desk=True) == Place("pi1", "")


@pytest.mark.parametrize("text", ["-oProxyCommand=id/psu1", "pi1/", "/psu1", "pi1/a b", "pi1/-x"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(GatewayError, match="is no HOST/PORT"):
        place(text)


def test_the_other_side_s_shell_sees_words_and_no_more() -> None:
    command = argv("pi1", "lease", "--note=$(id); 'x'", "--", "psu1", options=("-T",))
    assert command[:4] == ["ssh", "-T", "--", "pi1"]
    assert command[4] == """gatewayd lease '--note=$(id); '"'"'x'"'"'' -- psu1"""


def test_a_stranger_s_name_is_no_argument_of_ssh() -> None:
    (answer,) = ask(["-oProxyCommand=touch /tmp/x"], "who")
    assert answer.trouble == "that is no host's name"
