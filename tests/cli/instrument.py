"""Lets the simulated instrument answer while a test does something else."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from gatewayd.demo.terminal import InstrumentTerminal


@contextlib.contextmanager
def answering(terminal: InstrumentTerminal) -> Iterator[None]:
    """Serve `terminal` in a thread of its own for the length of a `with` block."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(terminal.serve())

    def serve() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        loop.close()
