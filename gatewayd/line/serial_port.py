"""pyserial's port, opened the way a gateway needs it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os

import serial

from gatewayd.errors import DeviceBusyError
from gatewayd.line import ioctls, termios2, uucp
from gatewayd.line.holder import describe_holder
from gatewayd.line.model import (
    LineSettings,
    Purge,
    Signal,
    SignalPolicies,
    SignalPolicy,
)


class SerialPort(serial.Serial):
    """A `serial.Serial` that changes its tty by one TCSETS2, and only where something differs.

    It locks the device by flock, by TIOCEXCL and by a UUCP lock file, leaves DTR and RTS to the
    policies, and holds one descriptor. Of pyserial there remain `open`, which is led here to
    `_reconfigure_port`, `set_low_latency_mode`, and that pyserial-asyncio takes it. Its properties
    (`baudrate` and so on) know ten settings one by one, and not flow control of one direction: they
    are not for use here, and neither are `read`, `write` and `flush`.
    """

    def __init__(
        self, path: str, settings: LineSettings, policies: SignalPolicies | None = None
    ) -> None:
        """A closed port; nothing of the machine is touched before `open`."""
        self.fd = None
        self.path = path
        self.policies = policies or SignalPolicies()
        self._lock_file = uucp.UucpLock(None)
        self._in_force = settings
        super().__init__(timeout=0, write_timeout=0, exclusive=True)
        self.port = path

    @property
    def in_force(self) -> LineSettings:
        """The settings as last read back; no ioctl."""
        return self._in_force

    def open(self) -> None:
        """Open, lock and configure, without waiting for carrier.

        Raises DeviceBusyError when another process has the device, OSError (pyserial's
        SerialException is one) or termios.error for the rest. Nothing stays open then.
        """
        uucp.refuse_if_locked(self.path)
        try:
            super().open()
        except OSError as error:
            # Without root, TIOCEXCL of another process shows as EBUSY of open itself.
            if error.errno == errno.EBUSY:
                raise self._busy(-1) from error
            raise
        self._close_pipes()
        self._lock_file = uucp.lock(self.path)
        with contextlib.suppress(ValueError):
            self.set_low_latency_mode(True)

    def adopt(self, fd: int) -> None:
        """Take over an open tty as it is: nothing is set on it but the locks.

        Raises DeviceBusyError or OSError; `fd` is the caller's then.
        """
        self.fd = fd
        try:
            self._lock(fd, ours=True)
            os.set_blocking(fd, False)
            self._in_force = termios2.read(fd)
        except BaseException:
            self.fd = None
            raise
        self._lock_file = uucp.lock(self.path)
        self.is_open = True

    def detach(self) -> int:
        """Give the open descriptor away, untouched; this port is closed afterwards."""
        fd = self.fileno()
        self.fd = None
        self.is_open = False
        return fd

    def configure(self, wanted: LineSettings) -> LineSettings:
        """Apply `wanted` in one step; return what is in force. Raises OSError."""
        self._in_force = termios2.apply(self.fileno(), wanted)
        return self._in_force

    def close(self) -> None:
        """Throw unsent bytes away, unlock and close. May take as long as the driver likes."""
        fd, self.fd, self.is_open = self.fd, None, False
        if fd is None:
            return
        with contextlib.suppress(OSError):
            # The kernel would wait for a UART to send its queue. What a PTY was given has left,
            # and the flush would take it from the reader at the other end.
            if not termios2.is_pty(fd):
                ioctls.flush(fd, Purge.TX)
        with contextlib.suppress(OSError):
            # The flag stays with the tty as long as anybody has it open.
            ioctls.set_exclusive(fd, False)
        os.close(fd)
        self._lock_file.release()

    def _reconfigure_port(self, force_update: bool = False) -> None:
        # pyserial calls this from open, with force_update, and from its properties.
        if self.fd is None:
            raise serial.PortNotOpenError
        if force_update:
            self._begin(self.fd)

    def _begin(self, fd: int) -> None:
        self._lock(fd)
        try:
            self._set_outputs(fd)
            self._in_force = termios2.apply(fd, self._in_force)
        except BaseException:
            with contextlib.suppress(OSError):
                ioctls.set_exclusive(fd, False)
            raise

    def _update_dtr_state(self) -> None:
        """DTR and RTS move by the policies and by `ioctls.set_signals`, not by pyserial."""

    _update_rts_state = _update_dtr_state

    def _lock(self, fd: int, *, ours: bool = False) -> None:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise self._busy(fd) from error
        # Root is not stopped by the flag, so look. It may also be left over from a process that
        # died while yet another one had the tty open: then nobody is found. On a descriptor that
        # was handed over it is our own, and who keeps a copy of that is no rival.
        if not ours and ioctls.is_exclusive(fd) and describe_holder(self.path) is not None:
            raise self._busy(fd)
        ioctls.set_exclusive(fd, True)

    def _busy(self, fd: int) -> DeviceBusyError:
        holder = describe_holder(self.path, fd) or "another process"
        return DeviceBusyError(f"{self.path} is in use by {holder}")

    def _set_outputs(self, fd: int) -> None:
        """Put DTR and RTS where a policy wants them, as soon after open as can be."""
        policies = ((Signal.DTR, self.policies.dtr), (Signal.RTS, self.policies.rts))
        on = off = Signal.NONE
        for signal, policy in policies:
            if policy is SignalPolicy.ON:
                on |= signal
            elif policy is SignalPolicy.OFF:
                off |= signal
        try:
            ioctls.set_signals(fd, on, off)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTTY):
                raise

    def _close_pipes(self) -> None:
        # They end a blocking read or write of pyserial, and would be four descriptors a port.
        for name in (
            "pipe_abort_read_r",
            "pipe_abort_read_w",
            "pipe_abort_write_r",
            "pipe_abort_write_w",
        ):
            os.close(getattr(self, name))
            setattr(self, name, None)
