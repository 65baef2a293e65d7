"""A gateway without Telnet that does one thing wrong after its first 1000 bytes to the client.

faulty_gateway.py FAULT DEVICE PORT
"""

from __future__ import annotations

import os
import selectors
import socket
import sys
import tty

HARMLESS = 1000


def spoil(fault: str, data: bytes) -> bytes:
    """`data`, as the fault leaves it."""
    match fault:
        case "change":
            return data[:-1] + bytes([data[-1] ^ 1])
        case "drop":
            return data[:-1]
        case "double":
            return data + data[-1:]
        case _:
            return data


def serve(fault: str, line: int, client: socket.socket) -> None:
    """Move bytes until the client goes."""
    passed = 0
    with selectors.DefaultSelector() as watch, client:
        watch.register(line, selectors.EVENT_READ)
        watch.register(client, selectors.EVENT_READ)
        while True:
            for key, _ in watch.select():
                if key.fd == line:
                    data = os.read(line, 4096)
                    passed += len(data)
                    if passed > HARMLESS and fault == "close":
                        return
                    client.sendall(spoil(fault, data) if passed > HARMLESS else data)
                else:
                    data = client.recv(4096)
                    if not data:
                        return
                    os.write(line, data)


def main() -> None:
    """Serve one client after the other."""
    fault, device, port = sys.argv[1:4]
    line = os.open(device, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(line)
    with socket.create_server(("127.0.0.1", int(port))) as listener:
        while True:
            client, _ = listener.accept()
            serve(fault, line, client)


if __name__ == "__main__":
    main()
