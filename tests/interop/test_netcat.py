"""netcat: shell scripts on the raw face, and a client without options on the Telnet face."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.interop.served import Served, program
from tests.interop.terminal import run
from tests.until import PATIENCE

EVERY_BYTE = bytes(range(256))


def test_answer_comes_back_to_a_half_closed_pipe(served: Served) -> None:
    nc = program("nc")

    def answer() -> None:
        assert served.instrument.read_until(b"\n") == b"*IDN?\n"
        served.instrument.write(b"ACME,PSU,1,0\n")

    for _ in range(2):
        with ThreadPoolExecutor(1) as pool:
            answered = pool.submit(answer)
            printed = run([nc, "-N", "127.0.0.1", str(served.raw)], b"*IDN?\n")
            answered.result()
        assert printed == b"ACME,PSU,1,0\n"


def test_raw_face_adds_and_changes_nothing(served: Served) -> None:
    with subprocess.Popen(
        [program("nc"), "127.0.0.1", str(served.raw)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(EVERY_BYTE)
        assert served.instrument.read(256) == EVERY_BYTE
        served.instrument.write(EVERY_BYTE)
        assert client.stdout.read(256) == EVERY_BYTE
        client.terminate()


def test_second_client_of_the_raw_face_gets_not_one_byte(served: Served) -> None:
    nc = program("nc")
    with subprocess.Popen(
        [nc, "127.0.0.1", str(served.raw)], stdin=subprocess.PIPE, bufsize=0
    ) as holder:
        assert holder.stdin is not None
        holder.stdin.write(b"first")
        assert served.instrument.read(5) == b"first"
        second = subprocess.run(
            [nc, "127.0.0.1", str(served.raw)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        assert second.stdout == b""
        holder.stdin.write(b"still")
        assert served.instrument.read(5) == b"still"
        holder.terminate()


@pytest.mark.parametrize("options", [[], ["-t"]], ids=["silent", "refuses-everything"])
def test_data_flows_on_the_telnet_face_whatever_the_client_makes_of_the_options(
    served: Served, options: list[str]
) -> None:
    with subprocess.Popen(
        [program("nc"), *options, "127.0.0.1", str(served.rfc2217)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(b"*IDN?\n")
        assert served.instrument.read(6) == b"*IDN?\n"
        served.instrument.write(b"ACME\r\n")
        printed = bytearray()
        while not printed.endswith(b"ACME\r\n"):
            chunk = client.stdout.read(100)
            assert chunk, bytes(printed)
            printed += chunk
        client.terminate()
