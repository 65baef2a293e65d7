"""The errors that gatewayd raises for what is not its own fault."""

from __future__ import annotations

import errno
from typing import Final

SHORTAGES: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.ENOSPC}
)
"""What the system says that has no room now, and may have some later."""


class GatewayError(Exception):
    """Anything that the operator, the machine or a device can be the cause of."""


class DeviceError(GatewayError):
    """A device cannot be opened; the text says why."""


class DeviceAbsentError(DeviceError):
    """There is no such device now."""


class DeviceSilentError(DeviceAbsentError):
    """Its name is there and nothing answers behind it; no event will tell when that changes."""


class DeviceBusyError(DeviceError):
    """Another process holds the device."""


class DeviceStuckError(DeviceError):
    """Its driver does not come back from a system call."""
