"""Whatever brings a device or takes it away is told, and nothing else is.

That nothing is told is shown with a marker: the kernel keeps events in order, so when a later one
has been told, an earlier one would have been.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import selectors
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from gatewayd.device.match import DeviceMatch, find
from gatewayd.device.scan import SerialDevice
from gatewayd.device.watch import DeviceWatch
from gatewayd.errors import DeviceAbsentError
from tests.device.machine import Machine
from tests.spell import quiet


class Told:
    """A callback that counts its calls and can be waited for."""

    def __init__(self) -> None:
        self.calls = 0
        self._event = asyncio.Event()

    def __call__(self) -> None:
        self.calls += 1
        self._event.set()

    async def next(self) -> None:
        """Until the next call; one that came since the last `next` counts."""
        async with asyncio.timeout(5):
            await self._event.wait()
        self._event.clear()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Look first, then after each call, until the condition holds."""
        while not condition():
            await self.next()


def run(machine: Machine, body: Callable[[DeviceWatch], Awaitable[None]]) -> None:
    """Run `body` with a watch on `machine`; no descriptor may be left over."""

    async def main() -> None:
        before = len(os.listdir("/proc/self/fd"))
        loop = asyncio.get_running_loop()
        watch = DeviceWatch(loop, sysfs=str(machine.sysfs), dev=str(machine.dev))
        try:
            await body(watch)
        finally:
            watch.close()
        assert len(os.listdir("/proc/self/fd")) == before

    asyncio.run(main())


@contextmanager
def pseudo_terminal() -> Iterator[str]:
    master, slave = os.openpty()
    try:
        yield os.ttyname(slave)
    finally:
        os.close(slave)
        os.close(master)


@contextmanager
def no_descriptors() -> Iterator[None]:
    """As if the process had used up its descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_node_that_comes_changes_and_goes_is_told(machine: Machine) -> None:
    node = machine.dev / "ttyUSB0"

    async def body(watch: DeviceWatch) -> None:
        told = Told()
        watch.watch("psu1", str(node), told)
        node.touch()
        await told.next()
        node.chmod(0o660)
        await told.next()
        node.unlink()
        await told.next()
        assert told.calls == 3
        assert watch.available

    run(machine, body)


def test_a_link_to_a_pseudo_terminal_is_told(tmp_path: Path, machine: Machine) -> None:
    link = tmp_path / "instrument"

    async def body(watch: DeviceWatch) -> None:
        told = Told()
        watch.watch("psu1", str(link), told)
        with pseudo_terminal() as path:
            link.symlink_to(path)
            await told.next()
            assert find(str(link), ()) == str(link)
        await told.next()
        with pytest.raises(DeviceAbsentError):
            find(str(link), ())

    run(machine, body)


def test_directories_may_come_and_go_with_the_device(machine: Machine) -> None:
    """udev makes /dev/serial with the first adapter and removes it with the last."""
    link = machine.dev / "serial/by-id/usb-A"

    async def body(watch: DeviceWatch) -> None:
        told = Told()
        watch.watch("psu1", str(link), told)
        for _round in range(3):
            machine.usb_serial("ttyUSB0", serial="A")
            machine.udev_link("serial/by-id/usb-A", "ttyUSB0")
            await told.until(link.exists)
            machine.unplug("1-1")
            shutil.rmtree(machine.dev / "serial")
            await told.until(lambda: not link.is_symlink())
        assert told.calls <= 12

    run(machine, body)


def test_a_link_that_turns_elsewhere_is_followed(machine: Machine) -> None:
    far = machine.dev / "far"
    far.mkdir()
    link = machine.udev_link("serial/by-id/usb-A", "ttyUSB0")

    async def body(watch: DeviceWatch) -> None:
        told = Told()
        watch.watch("psu1", str(link), told)
        new = link.with_name("new")
        new.symlink_to(far / "ttyUSB7")
        new.rename(link)
        await told.next()
        (far / "ttyUSB7").touch()
        await told.next()
        assert told.calls == 2

    run(machine, body)


def test_a_directory_above_that_is_moved_away_is_told(tmp_path: Path, machine: Machine) -> None:
    node = tmp_path / "a/b/c/node"
    node.parent.mkdir(parents=True)
    node.touch()

    async def body(watch: DeviceWatch) -> None:
        told = Told()
        watch.watch("psu1", str(node), told)
        (tmp_path / "a").rename(tmp_path / "z")
        await told.next()
        node.parent.mkdir(parents=True)
        await told.next()
        node.touch()
        await told.until(node.exists)
        told.calls = 0
        (tmp_path / "z/b/c/node").unlink()
        node.unlink()
        await told.next()
        assert told.calls == 1

    run(machine, body)


def test_a_match_is_told_of_serial_devices_only(machine: Machine) -> None:
    async def body(watch: DeviceWatch) -> None:
        match, anything = Told(), Told()
        watch.watch("psu1", DeviceMatch(serial="A"), match)
        watch.watch("wizard", None, anything)
        (machine.dev / "sda").touch()
        (machine.dev / "tty9").touch()
        (machine.dev / "marker").touch()
        marker = Told()
        watch.watch("marker", str(machine.dev / "marker"), marker)
        (machine.dev / "marker").unlink()
        await marker.next()
        assert (match.calls, anything.calls) == (0, 0)
        node = machine.usb_serial("ttyUSB0", serial="A")
        await match.next()
        await anything.next()
        found = find(DeviceMatch(serial="A"), watch.devices())
        assert isinstance(found, SerialDevice)
        assert found.path == str(node)

    run(machine, body)


def test_other_names_in_the_directory_are_not_told(machine: Machine) -> None:
    async def body(watch: DeviceWatch) -> None:
        first, second = Told(), Told()
        watch.watch("first", str(machine.dev / "ttyUSB0"), first)
        watch.watch("second", str(machine.dev / "ttyUSB1"), second)
        (machine.dev / "ttyUSB2").touch()
        (machine.dev / "ttyUSB1").touch()
        await second.next()
        assert first.calls == 0

    run(machine, body)


def test_a_burst_is_one_call(machine: Machine) -> None:
    async def body(watch: DeviceWatch) -> None:
        told, marker = Told(), Told()
        node = machine.dev / "ttyUSB0"
        watch.watch("psu1", str(node), told)
        for _ in range(100):
            node.touch()
            node.chmod(0o660)
            node.unlink()
        watch.watch("marker", str(machine.dev / "marker"), marker)
        (machine.dev / "marker").touch()
        await marker.next()
        assert told.calls == 1

    run(machine, body)


def test_what_was_forgotten_or_replaced_is_told_no_more(machine: Machine) -> None:
    async def body(watch: DeviceWatch) -> None:
        old, new, other = Told(), Told(), Told()
        node = machine.dev / "ttyUSB0"
        watch.watch("psu1", str(node), old)
        watch.watch("psu2", str(node), other)
        node.touch()
        watch.forget("psu2")
        watch.watch("psu1", str(machine.dev / "ttyUSB1"), new)
        watch.forget("never watched")
        node.chmod(0o660)
        (machine.dev / "ttyUSB1").touch()
        await new.next()
        assert (old.calls, other.calls) == (0, 0)

    run(machine, body)


def test_a_url_is_no_path_to_watch(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(machine.dev)

    async def body(watch: DeviceWatch) -> None:
        url, marker = Told(), Told()
        watch.watch("far", "socket://localhost:7000", url)
        watch.watch("marker", "marker", marker)
        (machine.dev / "socket:").mkdir()
        (machine.dev / "marker").touch()
        await marker.next()
        assert url.calls == 0

    run(machine, body)


def test_a_queue_that_overflows_tells_everybody(machine: Machine) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text(encoding="ascii"))

    async def body(watch: DeviceWatch) -> None:
        quiet = Told()
        watch.watch("psu1", str(machine.dev / "ttyUSB0"), quiet)
        noise = machine.dev / "noise"
        for _ in range(limit // 2 + 10):
            os.close(os.open(noise, os.O_CREAT))
            os.unlink(noise)
        await quiet.next()

    run(machine, body)


def test_devices_are_scanned_again_only_after_an_event(machine: Machine) -> None:
    async def body(watch: DeviceWatch) -> None:
        before = watch.devices()
        assert watch.devices() is before
        told = Told()
        watch.watch("any", None, told)
        machine.usb_serial("ttyUSB0")
        await told.next()
        after = watch.devices()
        assert len(after) == 1
        assert watch.devices() is after

    run(machine, body)


def test_a_watch_at_rest_never_wakes_the_loop(machine: Machine) -> None:
    """While the test lets time pass, the loop waits once, for the end of that time."""

    class CountingSelector(selectors.EpollSelector):
        waits: ClassVar[list[float | None]] = []

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            self.waits.append(timeout)
            return super().select(timeout)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        watch = DeviceWatch(loop, sysfs=str(machine.sysfs), dev=str(machine.dev))
        for number in range(64):
            path = str(machine.dev / f"serial/by-id/{number}")
            watch.watch(number, DeviceMatch(serial=f"S{number}") if number % 2 else path, Told())
        CountingSelector.waits.clear()
        await quiet(0.3)
        assert len([wait for wait in CountingSelector.waits if wait != 0]) == 1
        watch.close()

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(CountingSelector())) as r:
        r.run(main())


def test_without_inotify_the_log_says_so_once(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with no_descriptors():
            watch = DeviceWatch(loop, sysfs=str(machine.sysfs), dev=str(machine.dev))
        assert not watch.available
        watch.watch("psu1", str(machine.dev / "ttyUSB0"), Told())
        watch.watch("psu2", DeviceMatch(serial="A"), Told())
        machine.usb_serial("ttyUSB0", serial="A")
        assert len(watch.devices()) == 1
        machine.unplug("1-1")
        assert watch.devices() == ()
        watch.forget("psu1")
        watch.close()

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())
    (record,) = caplog.records
    assert "Too many open files" in record.getMessage()
    assert "every 2 s" in record.getMessage()


@pytest.mark.skipif(os.geteuid() != 0, reason="changes to another user, which takes root")
def test_a_directory_that_may_not_be_read_is_said(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    async def body(watch: DeviceWatch) -> None:
        os.seteuid(65534)
        try:
            watch.watch("psu1", f"{closed}/node", Told())
            watch.watch("psu2", f"{closed}/other", Told())
        finally:
            os.seteuid(0)
        assert not watch.available
        watch.forget("psu1")
        watch.forget("psu2")
        assert watch.available

    with caplog.at_level(logging.WARNING), tempfile.TemporaryDirectory() as closed:
        os.chmod(closed, 0o711)
        run(machine, body)
    (record,) = caplog.records
    assert closed in record.getMessage()
