"""The process: from a configuration to a running gateway, and its end."""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
from collections.abc import Awaitable, Callable

from gatewayd import __version__
from gatewayd.config.schema import Config
from gatewayd.errors import GatewayError
from gatewayd.log import Happening, note
from gatewayd.service import handlers, systemd
from gatewayd.service.gateway import Gateway

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
    try:
        asyncio.run(_serve(config, config_path, also))
    except GatewayError as error:
        note(Happening.FAULT, "%s", error, level=logging.ERROR)
        return 1
    return 0


async def _serve(config: Config, config_path: str | None, also: Companion | None) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    gateway = Gateway()
    gateway.start(config)
    note(Happening.SERVICE_READY, "gatewayd %s serves %d ports", __version__, len(config.ports))
    systemd.notify(READY=1)
    companion = loop.create_task(_companion(also)) if also is not None else None
    await stop.wait()
    note(Happening.SERVICE_STOPPING, "stopping")
    systemd.notify(STOPPING=1)
    if companion is not None:
        companion.cancel()
    await gateway.stop()


async def _companion(also: Companion) -> None:
    await also()


def _allow_descriptors() -> None:
    """A port takes about seven descriptors: use all that the system lets us have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
