"""The process: from a configuration to a running gateway, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from gatewayd import __version__
from gatewayd.config.apart import load
from gatewayd.config.problem import ConfigError
from gatewayd.config.schema import Config
from gatewayd.control import SYSTEM_PATH, standard_path
from gatewayd.control.server import ControlError
from gatewayd.errors import SHORTAGES, GatewayError
from gatewayd.log import Happening, note
from gatewayd.service import handlers, reload, status, systemd
from gatewayd.service.aside import aside
from gatewayd.service.commands import Commands
from gatewayd.service.controls import Controls
from gatewayd.service.gateway import Gateway, Served
from gatewayd.service.handover import Inheritance, give
from gatewayd.service.leases import Leases
from gatewayd.service.loop import GatewayLoop
from gatewayd.service.recording import Recording
from gatewayd.service.signals import Signals
from gatewayd.service.store import Store

if TYPE_CHECKING:
    from gatewayd.service.advertising import Advertising
    from gatewayd.service.measuring import Measuring

JUDGING_S: Final = 20.0
"""How long a reload waits for its file to be read and judged: it may be on a network's disk."""
STATUS_S: Final = 0.2
"""The service manager's status line is at most so many seconds behind."""
MANAGER_S: Final = 0.1
"""After so long the service manager is told again what it did not take."""
MANAGER_TRIES: Final = 20
"""So often a stop tries that before it gives up."""
CONTROL_S: Final = 1.0
"""After so long the control socket is tried again that the system had no room for."""
CANCEL_S: Final = 1.0
"""How long a stop waits for a reload that it has called off."""

Companion = Callable[[], Awaitable[None]]
"""Something to run beside the gateway, started when the ports are served."""


def run(
    config: Config,
    *,
    config_path: str | None = None,
    verbose: bool = False,
    also: Companion | None = None,
) -> int:
    """Serve `config` until SIGTERM or SIGINT; return the exit status.

    `config_path` is the file to read again on SIGHUP, None where there is none.
    """
    handlers.install(verbose)
    _allow_descriptors()
    # Until it serves, both signals that end it do so at once. asyncio would have SIGINT cancel the
    # main task, by a handler of which `signal` makes a text, and that by `inspect`.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        with asyncio.Runner(loop_factory=GatewayLoop) as runner:
            runner.run(Daemon(config, config_path).serve(also))
    except ConfigError as error:
        # What the file names is wrong: no other try makes it better.
        for problem in error.problems:
            note(Happening.CONFIG_REJECTED, "%s", problem, level=logging.ERROR)
        return os.EX_CONFIG
    except (GatewayError, MemoryError) as error:
        return _ended(str(error) or "out of memory")
    except OSError as error:
        if error.errno not in SHORTAGES:
            raise
        return _ended(f"cannot be started now: {error.strerror}")
    return 0


def _ended(why: str) -> int:
    note(Happening.FAULT, "%s", why, level=logging.ERROR)
    return 1


class Daemon:
    """One run of the gateway with what surrounds it: signals, control socket, service manager."""

    def __init__(self, config: Config, config_path: str | None) -> None:
        self._config = config
        self._config_path = config_path
        self._stopping = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._reload: asyncio.Task[object] | None = None
        self._control: Controls | None = None
        self._no_control = ""
        self._tasks: set[asyncio.Task[object]] = set()
        self._status_due: asyncio.TimerHandle | None = None
        self._advertising: Advertising | None = None
        self._measuring: Measuring | None = None

    async def serve(self, also: Companion | None = None) -> None:
        """Run until a signal says stop. Raises BindError, and ConfigError for keys and users."""
        with contextlib.closing(Signals()) as signals:
            for number in (signal.SIGTERM, signal.SIGINT):
                signals.on(number, self._stopping.set)
            signals.on(signal.SIGHUP, self._hang_up)
            await self._serve(also)

    async def _serve(self, also: Companion | None) -> None:
        systemd.when_waiting(self._tell_manager_later)
        store = Store()
        gateway = self.gateway = Gateway(store)
        doors = gateway.doors
        gateway.escape = self._config.escape
        gateway.turnstile.rate = self._config.accept_rate
        recording = self._recording = Recording(gateway, self._config.record)
        leases = Leases(gateway, store)
        inherited = Inheritance(systemd.listen_fds())
        given = False
        try:
            await inherited.take(self._config.ports)
            with doors.trying(await doors.read(self._config, self._config_path or "")):
                gateway.listen(self._config, inherited.sockets)
            inherited.restore(gateway, store)
            leases.restore(inherited.leases)
            gateway.start()
            inherited.readmit()
            self._control = await self._controlled(self._config.control)
            self._advertise()
            self._measure(self._config)
            self._open_desk(self._config)
            note(
                Happening.SERVICE_READY,
                "gatewayd %s serves %s%s",
                __version__,
                status.summary(gateway),
                self._how_to_ask(),
            )
            systemd.notify(READY=1, STATUS=status.summary(gateway))
            if systemd.under_systemd():
                gateway.port_observers.append(self._status_changed)
            self._feed_watchdog()
            if also is not None:
                self._start(also())
            await self._stopping.wait()
            note(Happening.SERVICE_STOPPING, "stopping")
            systemd.notify(STOPPING=1)
            if self._reload is not None:
                # What it has in its hands ends with it; everything else is handed over.
                self._reload.cancel()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(CANCEL_S):
                        await self._reloading.acquire()
            if store.active:
                # Whether this is a stop or a restart is not told. After a stop the manager closes
                # what it keeps; after a restart the next process goes on with it.
                await give(gateway, store)
                given = True
        finally:
            if self._advertising is not None:
                self._advertising.stop()
            if self._measuring is not None:
                self._measuring.stop()
            for task in tuple(self._tasks):
                task.cancel()
            if self._control is not None:
                await self._control.stop()
            if not given:
                await gateway.stop()
            await recording.stop()
            for _ in range(MANAGER_TRIES):
                if systemd.flush():
                    break
                await asyncio.sleep(MANAGER_S)
            if given:
                gateway.release()

    async def reload(self) -> str:
        """Put the file in force; return what changed. Raises ConfigError or BindError; then
        everything is as it was."""
        assert self._config_path is not None
        async with self._reloading:
            if self._stopping.is_set():
                raise GatewayError("the gateway is stopping")
            systemd.notify(RELOADING=1)
            self._reload = asyncio.current_task()
            try:
                new = await aside(partial(load, self._config_path), JUDGING_S)
                keys = await self.gateway.doors.read(new, self._config_path)
                # A port may have the address from now on.
                if self._measuring is not None:
                    self._measuring.leave(new.metrics)
                if self.gateway.desk is not None:
                    self.gateway.desk.leave(new.desk)
                with self.gateway.doors.trying(keys):
                    text = await reload.apply(self.gateway, self._config, new)
                before, self._config = self._config.control, new
                self._recording.follow(new.record)
                self._advertise()
                if new.control != before:
                    await self._move_control()
                return text
            except GatewayError as error:
                lines = error.problems if isinstance(error, ConfigError) else (error,)
                for line in lines:
                    note(Happening.CONFIG_REJECTED, "%s", line, level=logging.ERROR)
                raise
            finally:
                self._measure(self._config)
                self._open_desk(self._config)
                self._reload = None
                if not self._stopping.is_set():
                    systemd.notify(READY=1, STATUS=status.summary(self.gateway))

    async def _move_control(self) -> None:
        before = self._control
        wanted = self._config.control
        moved = await self._controlled(wanted)
        if moved is None and wanted:
            # There is none to be had at the new place: keep the old one.
            return
        self._control = moved
        if before is not None:
            # Who asked for this is still to be answered.
            before.leave()

    async def _controlled(self, path: str | None) -> Controls | None:
        if path == SYSTEM_PATH:
            # The default: a daemon that is no service has another place for it.
            path = standard_path()
        if not path:
            return None
        has_file = self._config_path is not None
        commands = Commands(self.gateway, self.reload if has_file else None)
        controls = Controls(path, commands)
        try:
            await controls.start()
        except ControlError as error:
            # The ports matter more than being asked about them.
            if str(error) != self._no_control:
                note(Happening.FAULT, "no control: %s", error, level=logging.WARNING)
            self._no_control = str(error)
            if error.passing:
                asyncio.get_running_loop().call_later(CONTROL_S, self._control_again)
            return None
        self._no_control = ""
        return controls

    def _how_to_ask(self) -> str:
        """A gateway that has no file has its control socket where nobody would look."""
        if self._config_path is not None or self._control is None:
            return ""
        return f"; to ask it: gatewayd status --control {self._config.control}"

    def _control_again(self) -> None:
        if not self._stopping.is_set():
            self._start(self._control_at_last())

    async def _control_at_last(self) -> None:
        if self._control is None:
            self._control = await self._controlled(self._config.control)

    def _advertise(self) -> None:
        if self._advertising is None and self._config.advertises:
            from gatewayd.service.advertising import Advertising

            self._advertising = Advertising(self.gateway)
        if self._advertising is not None:
            self._advertising.follow(self._config)

    def _measure(self, config: Config) -> None:
        if self._measuring is None and config.metrics:
            from gatewayd.service.measuring import Measuring

            self._measuring = Measuring(partial(status.answer, self.gateway))
        if self._measuring is not None:
            self._measuring.follow(config.metrics)

    def _open_desk(self, config: Config) -> None:
        self.gateway.escape = config.escape
        self.gateway.turnstile.rate = config.accept_rate
        if config.desk or self.gateway.desk is not None:
            from gatewayd.service.fronting import desk_of

            desk_of(self.gateway).follow(config.desk)

    def _hang_up(self) -> None:
        if self._config_path is None:
            note(Happening.CONFIG_REJECTED, "there is no configuration file to read again")
            return
        self._start(self._reload_logged())

    async def _reload_logged(self) -> None:
        try:
            await self.reload()
        except GatewayError:
            # The log has it, and everything goes on as before.
            return

    def _start(self, work: Awaitable[object]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _status_changed(self, _served: Served) -> None:
        # Sessions may come and go many times a second.
        if self._status_due is None:
            loop = asyncio.get_running_loop()
            self._status_due = loop.call_later(STATUS_S, self._tell_status)

    def _tell_status(self) -> None:
        self._status_due = None
        systemd.notify(STATUS=status.summary(self.gateway))

    def _tell_manager_later(self) -> None:
        asyncio.get_running_loop().call_later(MANAGER_S, self._tell_manager)

    def _tell_manager(self) -> None:
        if not systemd.flush():
            self._tell_manager_later()

    def _feed_watchdog(self) -> None:
        # From the loop itself: a loop that hangs must be seen to hang.
        interval = systemd.watchdog_interval()
        if interval is not None:
            systemd.notify(WATCHDOG=1)
            asyncio.get_running_loop().call_later(interval, self._feed_watchdog)


def _allow_descriptors() -> None:
    """A port takes about seven descriptors: use all that the system lets us have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
