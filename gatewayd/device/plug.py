"""Waits for somebody to pull an adapter or to plug one in."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from gatewayd.device.scan import SerialDevice
from gatewayd.device.watch import RETRY, DeviceWatch

QUIET = 0.5
"""Seconds without another event after which an adapter with several ports is there with all."""

Devices = tuple[SerialDevice, ...]


class Change(NamedTuple):
    """What is there now, and the difference to before: `gone` or `come` is not empty."""

    now: Devices
    gone: Devices
    come: Devices


async def next_change(watch: DeviceWatch, before: Devices) -> Change:
    """Wait until other devices than `before` are there, and no more are coming or going."""
    stirred = asyncio.Event()
    key = object()
    watch.watch(key, None, stirred.set)
    try:
        while True:
            stirred.clear()
            now = watch.devices()
            gone = tuple(device for device in before if not _among(device, now))
            come = tuple(device for device in now if not _among(device, before))
            if await _stirs(stirred, watch, changed=bool(gone or come)):
                continue
            if gone or come:
                return Change(now, gone, come)
    finally:
        watch.forget(key)


async def _stirs(stirred: asyncio.Event, watch: DeviceWatch, *, changed: bool) -> bool:
    """Whether something happens before it is time to look again, or to believe what was seen."""
    patience = QUIET if changed else None if watch.available else RETRY
    try:
        async with asyncio.timeout(patience):
            return await stirred.wait()
    except TimeoutError:
        return False


def _among(device: SerialDevice, devices: Devices) -> bool:
    """Whether `device` is there, in the same socket; udev's links may come later than the node."""
    return any(
        (device.path, device.usb_path, device.serial) == (other.path, other.usb_path, other.serial)
        for other in devices
    )
