"""The simulated instrument on its pseudo terminal."""

from __future__ import annotations

import asyncio
import os

import serial

from gatewayd.demo.instrument import IDENTITY, WAVEFORM, Instrument
from gatewayd.demo.terminal import InstrumentTerminal
from tests.cli.instrument import answering


def test_it_answers_whoever_opens_it() -> None:
    with InstrumentTerminal(Instrument()) as terminal, answering(terminal):
        for _ in range(3):
            with serial.Serial(terminal.path, timeout=10) as device:
                device.write(b"*IDN?\n")
                assert device.readline() == IDENTITY.encode() + b"\n"


def test_bytes_pass_as_they_are() -> None:
    with InstrumentTerminal(Instrument()) as terminal, answering(terminal):
        fd = os.open(terminal.path, os.O_RDWR | os.O_NOCTTY)
        os.write(fd, b"CURV?\n")
        answer = b""
        while len(answer) <= len(WAVEFORM):
            answer += os.read(fd, 4096)
        os.close(fd)
    assert answer == WAVEFORM + b"\n"


def test_answers_that_nobody_reads_yet_wait() -> None:
    """More than a terminal holds: the instrument stops reading, and nothing is lost."""
    count = 200
    with InstrumentTerminal(Instrument()) as terminal, answering(terminal):
        fd = os.open(terminal.path, os.O_RDWR | os.O_NOCTTY)
        os.write(fd, b"CURV?\n" * count)
        expected = (WAVEFORM + b"\n") * count
        answer = b""
        while len(answer) < len(expected):
            answer += os.read(fd, 65536)
        os.close(fd)
    assert answer == expected


def test_the_end_leaves_nothing_open() -> None:
    before = set(os.listdir("/proc/self/fd"))
    with InstrumentTerminal(Instrument()) as terminal:

        async def serve_a_little() -> None:
            task = asyncio.ensure_future(terminal.serve())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])

        asyncio.run(serve_a_little())
    assert set(os.listdir("/proc/self/fd")) == before
