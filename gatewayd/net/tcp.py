"""What a TCP connection is set to, and what its other end is called."""

from __future__ import annotations

import socket


def expect_peer(sock: socket.socket, timeout: float) -> None:
    """Prepare a listening socket: connections have its options from the moment of `accept`.

    They send small writes at once, and end when the peer was silent on the network for `timeout`
    seconds: idle by keepalive probes, in mid transfer by unacknowledged data. The DM of a Synch
    stays in the stream, and ends up nowhere else.
    """
    probe = max(1, int(timeout / 6))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(1, int(timeout / 2)))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, probe)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(timeout * 1000))


def peer_name(address: tuple[object, ...]) -> str:
    """A client's address, from `accept`, as people write it."""
    host, port = str(address[0]).removeprefix("::ffff:"), address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
