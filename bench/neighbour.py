"""A client that means harm: `python -m bench.neighbour TCP_PORT ATTACK` goes on until it is ended.

It sends bulk first, so that much is read from it at once, and then what costs most for its length.
It says when the first of it is sent.
"""

from __future__ import annotations

import os
import select
import socket
import sys
from typing import Final

BLOCK: Final = 65536
_AGREE: Final = bytes.fromhex("fffb2c fffb00 fffd00")
_PURGE_BOTH: Final = bytes.fromhex("fffa2c 0c03 fff0")
_STORMS: Final = {
    "ayt": "fff6",
    "ao": "fff5",
    "ip": "fff4",
    "brk": "fff3",
    "purge": "fffa2c 0c01 fff0",
    "baud": "fffa2c 01 00002580 fff0 fffa2c 01 00004b00 fff0",
    "control": "fffa2c 05 08 fff0 fffa2c 05 09 fff0",
    "mask": "fffa2c 0b ffff fff0 fffa2c 0b 00 fff0",
    "signature": "fffa2c 00 fff0",
    "timing-mark": "fffd06",
    "options": "fffd03 fffe03 fffb03 fffc03",
    "refused": "fffd63 fffb63",
    "malformed": "fff0",
    "data-and-nop": "61 fff1",
}
ATTACKS: Final = {name: (bytes.fromhex(code) * BLOCK)[:BLOCK] for name, code in _STORMS.items()} | {
    "nul": b"\r\0" * (BLOCK // 2),
    "iac": b"\xff\xff" * (BLOCK // 2),
}
"""What is sent again and again, by name."""


def attack(tcp_port: int, name: str) -> None:
    """Connect and send; again when the gateway closes. Does not return."""
    while True:
        try:
            with socket.create_connection(("127.0.0.1", tcp_port)) as sock:
                _attack(sock, ATTACKS[name])
        except OSError:
            continue


def _attack(sock: socket.socket, block: bytes) -> None:
    sock.sendall(_AGREE)
    sock.setblocking(False)
    bulk = bytes(4 * BLOCK) + _PURGE_BOTH
    waiting = memoryview(bulk + block)
    started = False
    while True:
        readable, writable, _ = select.select([sock], [sock], [])
        if readable and not sock.recv(BLOCK):
            return
        if writable:
            waiting = waiting[sock.send(waiting[:BLOCK]) :]
            if len(waiting) < BLOCK and not started:
                started = True
                print("started", flush=True)
            waiting = waiting or memoryview(bulk + block * 4)


if __name__ == "__main__":
    os.nice(10)
    attack(int(sys.argv[1]), sys.argv[2])
