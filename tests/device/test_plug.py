"""A pulled adapter and one plugged in are told once, with all their ports."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Awaitable, Callable

from gatewayd.device.plug import next_change
from gatewayd.device.watch import DeviceWatch
from tests.device.machine import Machine
from tests.spell import pace, quiet

QUIET = 0.15
"""Seconds; time enough for what a test does at once, and a busy machine besides."""


def run(machine: Machine, body: Callable[[DeviceWatch], Awaitable[None]]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        watch = DeviceWatch(loop, sysfs=str(machine.sysfs), dev=str(machine.dev))
        try:
            async with asyncio.timeout(10):
                await body(watch)
        finally:
            watch.close()

    asyncio.run(main())


def test_all_ports_of_an_adapter_come_together(machine: Machine) -> None:
    machine.usb_serial("ttyUSB0", "1-1", serial="A")

    async def body(watch: DeviceWatch) -> None:
        before = watch.devices()
        change = asyncio.create_task(next_change(watch, before, quiet=QUIET))
        for number in range(1, 5):
            # The kernel makes the ports one after the other.
            await pace(QUIET / 3)
            machine.usb_serial(f"ttyUSB{number}", "1-2", interface=number - 1, serial="FT4")
        now, gone, come = await change
        assert gone == ()
        assert [device.interface for device in come] == [0, 1, 2, 3]
        assert now == before + come

    run(machine, body)


def test_what_is_pulled_is_told_as_it_was(machine: Machine) -> None:
    machine.usb_serial("ttyUSB0", "1-1", serial="A")
    machine.usb_serial("ttyUSB1", "1-2", serial="B")

    async def body(watch: DeviceWatch) -> None:
        before = watch.devices()
        machine.unplug("1-1")
        now, gone, come = await next_change(watch, before, quiet=QUIET)
        assert (now, gone, come) == (before[1:], before[:1], ())

    run(machine, body)


def test_another_adapter_on_the_same_node_is_a_change(machine: Machine) -> None:
    machine.usb_serial("ttyUSB0", "1-1", serial="A")

    async def body(watch: DeviceWatch) -> None:
        before = watch.devices()
        machine.unplug("1-1")
        machine.usb_serial("ttyUSB0", "1-1", serial="B")
        _now, gone, come = await next_change(watch, before, quiet=QUIET)
        assert [device.serial for device in gone + come] == ["A", "B"]

    run(machine, body)


def test_a_contact_that_bounces_is_no_change(machine: Machine) -> None:
    machine.usb_serial("ttyUSB0", "1-1", serial="A")

    async def body(watch: DeviceWatch) -> None:
        before = watch.devices()
        machine.unplug("1-1")
        change = asyncio.create_task(next_change(watch, before, quiet=QUIET))
        await pace(QUIET / 2)
        machine.usb_serial("ttyUSB0", "1-1", serial="A")
        machine.udev_link("gatewayd/A-if00", "ttyUSB0")
        await quiet(QUIET * 2)
        assert not change.done()
        machine.unplug("1-1")
        _now, gone, _come = await change
        assert gone == before

    run(machine, body)


def test_without_events_it_looks_again(machine: Machine) -> None:
    async def main() -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        lowest_free = os.dup(0)
        os.close(lowest_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
        try:
            loop = asyncio.get_running_loop()
            watch = DeviceWatch(loop, sysfs=str(machine.sysfs), dev=str(machine.dev))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        change = asyncio.create_task(next_change(watch, (), quiet=QUIET))
        await asyncio.sleep(0)
        machine.usb_serial("ttyUSB0", "1-1", serial="A")
        async with asyncio.timeout(10):
            _now, _gone, come = await change
        assert [device.serial for device in come] == ["A"]
        watch.close()

    asyncio.run(main())
