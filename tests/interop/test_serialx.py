"""serialx `rfc2217://`, which Home Assistant's radios use: it waits for each single answer."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import serialx

from tests.interop.served import Served
from tests.same import same

EVERY_BYTE = bytes(range(256))


def url(served: Served) -> str:
    """The Telnet face."""
    return f"rfc2217://127.0.0.1:{served.rfc2217}"


def test_opens_writes_flushes_reads_and_closes(served: Served) -> None:
    with serialx.serial_for_url(url(served), baudrate=115200) as port:
        port.write(EVERY_BYTE)
        port.flush()  # a round trip behind the data
        assert served.instrument.read(256) == EVERY_BYTE
        served.instrument.write(EVERY_BYTE[::-1])
        assert port.readexactly(256, timeout=10) == EVERY_BYTE[::-1]
        port.reconfigure_port(baudrate=38400)
        port.set_modem_pins(dtr=False, rts=True)
        pins = port.get_modem_pins()
        assert (pins.dtr, pins.rts) == (serialx.PinState.LOW, serialx.PinState.HIGH)
        assert (pins.cts, pins.dsr) == (serialx.PinState.HIGH, serialx.PinState.HIGH)
        port.reset_read_buffer()
        port.reset_write_buffer()


def test_flush_returns_when_the_line_has_taken_all(served: Served) -> None:
    data = EVERY_BYTE * 1024
    with (
        serialx.serial_for_url(url(served), baudrate=921600) as port,
        ThreadPoolExecutor(1) as pool,
    ):
        arrived = pool.submit(served.instrument.read, len(data))
        port.write(data)
        port.flush()
        same(arrived.result(), data)


def test_asynchronous_port_works_too(served: Served) -> None:
    async def converse() -> bytes:
        async with serialx.async_serial_for_url(url(served), baudrate=57600) as port:
            await port.write(b"*IDN?\n")
            await port.flush()
            assert await asyncio.to_thread(served.instrument.read_until, b"\n") == b"*IDN?\n"
            served.instrument.write(b"ACME,\xff\n")
            return await port.readline()

    assert asyncio.run(converse()) == b"ACME,\xff\n"


def test_ten_sessions_follow_each_other(served: Served) -> None:
    for number in range(10):
        with serialx.serial_for_url(url(served), baudrate=9600) as port:
            port.write(b"%d" % number)
            port.flush()
            assert served.instrument.read(1) == b"%d" % number
