"""What a new configuration changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.config.diff import plan
from gatewayd.config.keys import PORT_SETTINGS
from gatewayd.config.schema import Address, Config, Face, PortConfig
from gatewayd.device.match import DeviceMatch
from gatewayd.value import replace
from tests.config.files import of_examples

ONE, TWO = Address("127.0.0.1", 7001), Address("127.0.0.1", 7002)
PORT = PortConfig(name="psu1", device="/dev/ttyS0", rfc2217=(ONE,), where=("f", 3))
LIVE: dict[str, object] = {
    key: getattr(of_examples(), key)
    for key in (setting.key for setting in PORT_SETTINGS)
    if key not in ("device", *(face.value for face in Face))
}
"""What is put in force under a session: each key with a value that is not the default."""


def test_nothing() -> None:
    moved = replace(PORT, where=("g", 99))
    found = plan(Config((PORT,)), Config((moved,)))
    assert (found.removed, found.changed, found.added) == ((), (), ())
    assert found.unchanged == (moved,)
    assert found.unchanged[0].where == ("g", 99)


@pytest.mark.parametrize("name", LIVE)
def test_what_is_put_in_force_under_a_session(name: str) -> None:
    new = replace(PORT, **{name: LIVE[name]})
    (change,) = plan(Config((PORT,)), Config((new,))).changed
    assert not change.restart
    assert (change.old, change.new) == (PORT, new)
    assert (change.closed, change.opened) == ((), ())


def test_another_device_restarts() -> None:
    new = replace(PORT, device=DeviceMatch(serial="A"))
    (change,) = plan(Config((PORT,)), Config((new,))).changed
    assert change.restart


def test_addresses_come_and_go() -> None:
    new = replace(PORT, rfc2217=(TWO,), raw=(ONE,))
    (change,) = plan(Config((PORT,)), Config((new,))).changed
    assert not change.restart
    assert change.closed == ((Face.RFC2217, ONE),)
    assert change.opened == ((Face.RFC2217, TWO), (Face.RAW, ONE))


def test_the_order_of_addresses_means_nothing_to_do() -> None:
    old, new = replace(PORT, raw=(ONE, TWO)), replace(PORT, raw=(TWO, ONE))
    (change,) = plan(Config((old,)), Config((new,))).changed
    assert not change.restart
    assert (change.closed, change.opened) == ((), ())


PORTS = st.dictionaries(
    st.sampled_from("abcd"), st.tuples(st.booleans(), st.sampled_from(["/dev/x", "/dev/y"]))
)


@given(PORTS, PORTS)
def test_every_port_is_in_one_part(
    old: dict[str, tuple[bool, str]], new: dict[str, tuple[bool, str]]
) -> None:
    def config(ports: dict[str, tuple[bool, str]]) -> Config:
        return Config(
            tuple(
                PortConfig(name=name, device=device, takeover=takeover, raw=(ONE,))
                for name, (takeover, device) in ports.items()
            )
        )

    found = plan(config(old), config(new))
    assert {port.name for port in found.removed} == old.keys() - new.keys()
    assert {port.name for port in found.added} == new.keys() - old.keys()
    changed = {change.new.name for change in found.changed}
    same = {port.name for port in found.unchanged}
    assert changed | same == old.keys() & new.keys()
    assert changed == {name for name in old.keys() & new.keys() if old[name] != new[name]}
    for change in found.changed:
        assert change.restart is (old[change.old.name][1] != new[change.new.name][1])
