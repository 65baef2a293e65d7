"""Waits for somebody to pull an adapter or to plug one in."""

from __future__ import annotations

import asyncio

from gatewayd.device.scan import SerialDevice
from gatewayd.device.watch import RETRY, DeviceWatch
from gatewayd.typed import NamedTuple

QUIET = 0.3
"""Seconds without another event after which an adapter with several ports is there with all."""

Devices = tuple[SerialDevice, ...]


class Change(NamedTuple):
    """What is there now, and the difference to before: `gone` or `come` is not empty."""

    now: Devices
    gone: Devices
    come: Devices


async def next_change(watch: DeviceWatch, before: Devices, *, quiet: float = QUIET) -> Change:
    """Wait until other devices than `before` are there and nothing stirs for `quiet` seconds."""
    stirred = asyncio.Event()
    key = object()
    watch.watch(key, None, stirred.set)
    try:
        while True:
            stirred.clear()
            now = watch.devices()
            gone = tuple(device for device in before if not _among(device, now))
            come = tuple(device for device in now if not _among(device, before))
            retry = None if watch.available else RETRY
            if await _set_within(stirred, quiet if gone or come else retry):
                continue
            if gone or come:
                return Change(now, gone, come)
    finally:
        watch.forget(key)


async def _set_within(event: asyncio.Event, seconds: float | None) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def _among(device: SerialDevice, devices: Devices) -> bool:
    """Whether `device` is there, in the same socket; udev's links may come later than the node."""
    return any(
        (device.path, device.usb_path, device.serial) == (other.path, other.usb_path, other.serial)
        for other in devices
    )
