"""Clients that mean harm or are broken: each costs its own connection, and nobody else anything."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop.gateway import CLOSED, Gateway
from tests.interop.instrument import Instrument, bare_line
from tests.ports import free_ports
from tests.until import PATIENCE

MEBIBYTE = 1 << 20
IAC, SB, SE, WILL, WONT, DO, DONT, AYT, BRK, DM = 255, 250, 240, 251, 252, 253, 254, 246, 243, 242
BINARY, TIMING_MARK, COM_PORT = 0, 6, 44
NEXT = b"<next client>"
CONFIGURATION = """version: 1
ports:
  attacked:
    device: {attacked}
    line: 4000000 8N1
    rfc2217: 127.0.0.1:{telnet}
    raw: 127.0.0.1:{raw}
  bystander:
    device: {bystander}
    line: 4000000 8N1
    raw: 127.0.0.1:{other}
"""


@dataclass(frozen=True)
class Scene:
    """A gateway with two lines, and a client that goes about its work on the second one."""

    gateway: Gateway
    telnet: int
    raw: int
    attacked: Instrument
    bystander: Instrument
    client: socket.socket

    def connect(self, port: int) -> socket.socket:
        """A connection to the attacked line."""
        return socket.create_connection(("127.0.0.1", port), PATIENCE)

    def bystander_works(self) -> None:
        """The other line answers its client."""
        for number in range(20):
            question = b"question %d\n" % number
            self.client.sendall(question)
            assert self.bystander.read(len(question)) == question
            self.bystander.write(question)
            assert receive(self.client, len(question)) == question

    def attacked_works_again(self) -> None:
        """The attacked line serves the next client."""
        with self.connect(self.raw) as client:
            client.sendall(NEXT)
            self.attacked.read_until(NEXT)
            self.attacked.write(b"<answer>")
            received = b""
            while not received.endswith(b"<answer>"):
                received += receive(client, 1)

    def session_over(self, count: int = 1) -> None:
        """Wait until `count` sessions have ended."""
        self.gateway.wait_for_all(CLOSED, count)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Two PTYs, three faces, one bystander."""
    telnet, raw, other = free_ports(3)
    with bare_line() as (attacked_path, attacked), bare_line() as (bystander_path, bystander):
        file = tmp_path / "gatewayd.yaml"
        file.write_text(
            CONFIGURATION.format(
                attacked=attacked_path,
                bystander=bystander_path,
                telnet=telnet,
                raw=raw,
                other=other,
            )
        )
        with (
            Gateway("run", "-c", str(file), faces=3, devices=2) as gateway,
            socket.create_connection(("127.0.0.1", other), PATIENCE) as client,
        ):
            scene = Scene(gateway, telnet, raw, attacked, bystander, client)
            scene.bystander_works()
            yield scene
            scene.bystander_works()


def receive(client: socket.socket, count: int) -> bytes:
    """Exactly `count` bytes."""
    received = bytearray()
    while len(received) < count:
        chunk = client.recv(count - len(received))
        assert chunk, f"the gateway closed after {bytes(received[-200:])!r}"
        received += chunk
    return bytes(received)


def receive_all(client: socket.socket) -> bytes:
    """What comes until the gateway closes."""
    received = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while chunk := client.recv(65536):
            received += chunk
    return bytes(received)


def send_until_stuck(client: socket.socket, chunk: bytes, most: int) -> int:
    """Send `chunk` over and over until nobody takes more, or `most` bytes went; the count."""
    sent = 0
    client.settimeout(0.5)
    with contextlib.suppress(TimeoutError):
        while sent < most:
            sent += client.send(chunk)
    client.settimeout(PATIENCE)
    return sent


def reset(client: socket.socket) -> None:
    """End a connection with RST."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@contextlib.contextmanager
def memory_bounded(gateway: Gateway, most: int) -> Iterator[None]:
    """The gateway does not grow by more than `most` bytes in this block."""
    before = gateway.resident_bytes()
    yield
    assert gateway.resident_bytes() - before < most


@pytest.mark.parametrize("face", ["telnet", "raw"])
def test_a_client_that_does_not_read_stops_the_line_and_loses_nothing(
    scene: Scene, face: str
) -> None:
    chunk = bytes(range(255)) * 16
    with scene.connect(getattr(scene, face)) as client:
        if face == "telnet":
            client.sendall(bytes([IAC, WILL, BINARY, IAC, DO, BINARY]))
        client.sendall(b"go")
        assert scene.attacked.read(2) == b"go"
        with memory_bounded(scene.gateway, 8 * MEBIBYTE):
            sent = scene.attacked.write_until_full(chunk, quiet=0.5)
            scene.bystander_works()
        received = bytearray()
        while not received.endswith(b"<end>"):
            if len(received) >= sent:
                scene.attacked.write(b"<end>")
                sent = sent + 10 * MEBIBYTE  # once only
            received += client.recv(65536)
        body = bytes(received[: -len(b"<end>")])
        start = body.find(chunk[:64])
        assert body[start:] == (chunk * (len(body) // len(chunk) + 1))[: len(body) - start]


def test_a_device_that_does_not_read_holds_up_its_own_client_only(scene: Scene) -> None:
    with scene.connect(scene.raw) as client, memory_bounded(scene.gateway, 8 * MEBIBYTE):
        assert send_until_stuck(client, bytes(65536), 64 * MEBIBYTE) < 64 * MEBIBYTE
        scene.bystander_works()
        reset(client)
    scene.attacked_works_again()


def test_questions_whose_answers_are_never_read_cost_no_memory(scene: Scene) -> None:
    questions = bytes([IAC, AYT, IAC, DO, TIMING_MARK]) * 10000
    with scene.connect(scene.telnet) as client, memory_bounded(scene.gateway, 8 * MEBIBYTE):
        send_until_stuck(client, questions, 64 * MEBIBYTE)
        scene.bystander_works()
        reset(client)
    scene.attacked_works_again()


def test_breaks_end_with_the_client_that_asked_for_them(scene: Scene) -> None:
    with scene.connect(scene.telnet) as client:
        client.sendall(b"x" + bytes([IAC, BRK]) * 2000)
        assert scene.attacked.read(1) == b"x"
        reset(client)
    scene.session_over()
    scene.attacked_works_again()


def test_an_endless_subnegotiation_is_skipped_without_being_kept(scene: Scene) -> None:
    with scene.connect(scene.telnet) as client, memory_bounded(scene.gateway, 8 * MEBIBYTE):
        client.sendall(bytes([IAC, WILL, COM_PORT, IAC, SB, COM_PORT, 1]))
        for _ in range(320):
            client.sendall(bytes(65536))
        client.sendall(bytes([IAC, SE]) + b"<after>")
        assert scene.attacked.read(7) == b"<after>"


def test_an_unfinished_command_harms_nobody(scene: Scene) -> None:
    for start in ([IAC], [IAC, SB], [IAC, SB, COM_PORT, 1, 0, IAC], [IAC, DO]):
        with scene.connect(scene.telnet) as client:
            client.sendall(b"x" + bytes(start))
            assert scene.attacked.read_until(b"x")
            scene.bystander_works()
            reset(client)
        scene.attacked_works_again()


@pytest.mark.parametrize("seed", range(3))
def test_random_bytes_end_with_their_connection(scene: Scene, seed: int) -> None:
    chance = random.Random(seed)
    words = [IAC, IAC, IAC, SB, SE, WILL, WONT, DO, DONT, AYT, DM, COM_PORT, BINARY, 1, 2, 5, 12]
    noise = bytes(chance.choices([*words, *range(256)], k=256 * 1024))
    noise = noise.replace(bytes([IAC, BRK]), b"")  # each would take its time on the line
    with ThreadPoolExecutor(2) as pool:
        with scene.connect(scene.telnet) as client:
            drained = pool.submit(scene.attacked.read_until, NEXT)
            answers = pool.submit(receive_all, client)
            with contextlib.suppress(ConnectionError):
                client.sendall(noise)
            scene.bystander_works()
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            answers.result()
            reset(client)
        scene.session_over()
        with scene.connect(scene.raw) as client:
            client.sendall(NEXT)
            drained.result()
    scene.session_over(2)
    scene.attacked_works_again()


def test_two_hundred_clients_at_a_held_port_are_told_and_sent_away(scene: Scene) -> None:
    with scene.connect(scene.telnet) as holder:
        holder.sendall(b"mine")
        assert scene.attacked.read_until(b"mine")
        open_before = scene.gateway.descriptors()
        clients = [scene.connect(scene.telnet) for _ in range(200)]
        scene.bystander_works()
        for client in clients:
            assert b"127.0.0.1" in receive_all(client)
            client.close()
        scene.bystander_works()
        assert scene.gateway.descriptors() <= open_before + 1
        holder.sendall(b"still")
        assert scene.attacked.read_until(b"still")


def test_two_hundred_clients_that_reset_at_once_leave_nothing_behind(scene: Scene) -> None:
    scene.attacked_works_again()
    open_before = scene.gateway.descriptors()
    for _ in range(200):
        reset(scene.connect(scene.telnet))
    scene.bystander_works()
    scene.attacked_works_again()
    assert scene.gateway.descriptors() <= open_before + 2


def test_a_peer_that_says_nothing_holds_only_its_own_port(scene: Scene) -> None:
    with scene.connect(scene.telnet) as silent:
        assert receive(silent, 1)
        scene.bystander_works()
        with scene.connect(scene.telnet) as second:
            assert b"127.0.0.1" in receive_all(second)
