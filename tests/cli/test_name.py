"""The wizard as its user meets it: a program that talks while adapters are pulled and plugged."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gatewayd.config.load import load, parse
from gatewayd.device.match import DeviceMatch
from tests.device.machine import Machine

PROGRAM = """
import argparse, sys
from gatewayd.cli import name
parser = argparse.ArgumentParser()
name.add_arguments(parser)
sys.exit(name.main(parser.parse_args()))
"""


class Wizard:
    """The running program, seen through its pipes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.heard = ""

    async def hear(self, text: str) -> None:
        """Until the program has said `text`, from where hearing stopped before."""
        assert self.process.stderr is not None
        while text not in self.heard:
            async with asyncio.timeout(10):
                said = await self.process.stderr.read(4096)
            assert said, f"{text!r} was never said, but {self.heard!r}"
            self.heard += said.decode()
        self.heard = self.heard.partition(text)[2]

    def type(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")

    async def end(self) -> tuple[int, str]:
        """The exit status and the standard output, when it hears no more."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        async with asyncio.timeout(10):
            out, err = await self.process.communicate()
        self.heard += err.decode()
        assert self.process.returncode is not None
        return self.process.returncode, out.decode()


def run(machine: Machine, body: Callable[[Wizard], Awaitable[None]], *options: str) -> None:
    async def main() -> None:
        roots = ("--sysfs", str(machine.sysfs), "--dev", str(machine.dev))
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, *roots, *options, stdin=pipe, stdout=pipe, stderr=pipe
        )
        try:
            await body(Wizard(process))
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()

    asyncio.run(main())


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_pull_plug_and_name(machine: Machine) -> None:
    machine.usb_serial("ttyUSB0", "1-1", serial="A")
    machine.usb_serial("ttyUSB1", "1-2", serial="B")

    async def body(wizard: Wizard) -> None:
        await wizard.hear("Pull the adapter")
        machine.unplug("1-2")
        await wizard.hear(f"{machine.dev}/ttyUSB1 (USB 1-2, interface 0) is gone")
        machine.usb_serial("ttyUSB1", "1-3", serial="B")
        await wizard.hear("Found FTDI FT232R USB UART")
        await wizard.hear("Name [ft232r-usb-uart-b], or - for none: ")
        wizard.type("not a name")
        await wizard.hear("A name is 1 to 64")
        wizard.type("psu1")
        status, out = await wizard.end()
        assert status == 0
        (port,) = parse(f"version: 1\nports:\n{out}", "printed").ports
        assert (port.name, port.device) == ("psu1", DeviceMatch(serial="B"))

    run(machine, body)


def test_an_adapter_with_several_ports_is_asked_for_each(machine: Machine, tmp_path: Path) -> None:
    path = tmp_path / "gatewayd.yaml"
    path.write_text(
        "version: 1\nports:\n  psu1:\n    device: {usb_path: 1-9}\n    raw: 7001\n",
        encoding="utf-8",
    )

    async def body(wizard: Wizard) -> None:
        await wizard.hear("Plug in the adapter")
        for number in range(3):
            machine.usb_serial(f"ttyUSB{number}", "1-4", interface=number, serial="FT4")
        await wizard.hear("interface 0")
        wizard.type("PSU1")
        await wizard.hear("There is a port PSU1 already.")
        wizard.type("load")
        await wizard.hear("interface 1")
        wizard.type("-")
        await wizard.hear("interface 2")
        wizard.type("")
        status, out = await wizard.end()
        assert (status, out) == (0, "")
        _old, first, second = load(str(path)).ports
        assert (first.name, first.device) == ("load", DeviceMatch(serial="FT4", interface=0))
        assert second.device == DeviceMatch(serial="FT4", interface=2)
        assert [str(address) for _face, address in (*first.listeners, *second.listeners)] == [
            "127.0.0.1:7002",
            "127.0.0.1:7102",
            "127.0.0.1:7003",
            "127.0.0.1:7103",
        ]

    run(machine, body, "--append", str(path))


def test_what_has_a_name_already_is_said(machine: Machine, tmp_path: Path) -> None:
    path = tmp_path / "gatewayd.yaml"
    text = "version: 1\nports:\n  psu1:\n    device: {serial: A}\n    raw: 7101\n"
    path.write_text(text, encoding="utf-8")

    async def body(wizard: Wizard) -> None:
        await wizard.hear("Plug in the adapter")
        machine.usb_serial("ttyUSB0", serial="A")
        await wizard.hear("It is port psu1 already.")
        assert (await wizard.end())[0] == 0
        assert path.read_text(encoding="utf-8") == text

    run(machine, body, "--append", str(path))


def test_an_adapter_without_a_serial_number_comes_with_a_note(machine: Machine) -> None:
    async def body(wizard: Wizard) -> None:
        await wizard.hear("Plug in the adapter")
        machine.usb_serial("ttyUSB0", "1-4", serial=None)
        await wizard.hear("Note that it has no serial number")
        wizard.type("psu1")
        _status, out = await wizard.end()
        assert "device: {usb_path: 1-4, interface: 0}\n" in out

    run(machine, body)


def test_a_file_with_problems_is_refused_before_anything_is_pulled(
    machine: Machine, tmp_path: Path
) -> None:
    path = tmp_path / "gatewayd.yaml"
    path.write_text("version: 1\nports: {psu1: {}}\n", encoding="utf-8")

    async def body(wizard: Wizard) -> None:
        status, out = await wizard.end()
        assert (status, out) == (1, "")
        assert wizard.heard.startswith(f"{path}:2:")

    run(machine, body, "--append", str(path))


def test_ctrl_c_ends_it_quietly(machine: Machine) -> None:
    async def body(wizard: Wizard) -> None:
        await wizard.hear("Plug in the adapter")
        wizard.process.send_signal(signal.SIGINT)
        status, out = await wizard.end()
        assert (status, out) == (130, "")
        assert wizard.heard.endswith("Stopped.\n")

    run(machine, body)


def test_the_end_of_the_input_ends_it(machine: Machine) -> None:
    async def body(wizard: Wizard) -> None:
        await wizard.hear("Plug in the adapter")
        machine.usb_serial("ttyUSB0", serial="A")
        await wizard.hear("Name [")
        status, out = await wizard.end()
        assert (status, out) == (130, "")

    run(machine, body)
