"""A gatewayd on a machine of a network, with adapters that can be pulled."""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from tests.fleet.lan import Machine
from tests.service.adapter import Adapter
from tests.watched import Watched


class Gateway:
    """Runs `gatewayd run` with what stands in `config`, for the length of a `with` block.

    `{NAME}` in it is the path of the adapter NAME, which is made and plugged in.
    """

    def __init__(self, machine: Machine, config: str, *adapters: str) -> None:
        self.machine = machine
        self.adapters = {name: Adapter(machine.directory / f"tty-{name}") for name in adapters}
        self.file = machine.directory / "gatewayd.yaml"
        self.control = machine.directory / "control"
        self._stack = ExitStack()
        self.write(config)

    def write(self, config: str) -> None:
        """Have another configuration in the file."""
        paths = {name: str(adapter.path) for name, adapter in self.adapters.items()}
        self.file.write_text(f"version: 1\ncontrol: {self.control}\n{config.format(**paths)}")

    def __enter__(self) -> Gateway:
        for adapter in self.adapters.values():
            self._stack.enter_context(adapter)
        argv = self.machine.argv(sys.executable, "-m", "gatewayd", "run", "-c", self.file)
        self.program = self._stack.enter_context(
            Watched(argv, directory=Path(__file__).parents[2], environment=self.machine.environment)
        )
        self.program.wait_for(r"gatewayd \S+ serves ")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.program.stop()
        self._stack.close()
        assert "Traceback" not in self.program.text, self.program.text

    def reload(self, config: str) -> None:
        """Put another configuration in force."""
        self.write(config)
        self.program.process.send_signal(signal.SIGHUP)
        self.program.wait_for("configuration in force")
