"""What a TCP connection is set to, how its other end is called, and what the kernel knows of it."""

from __future__ import annotations

import contextlib
import fcntl
import select
import socket
import struct
import termios
from typing import Final

KERNEL_BYTES: Final = 262144

_SIOCATMARK: Final = 0x8905
_ENDED: Final = (7, 8)
"""The states of a TCP connection that the peer has closed: TCP_CLOSE, TCP_CLOSE_WAIT."""
_RTT: Final = struct.Struct("=68xI")
"""Of struct tcp_info: microseconds, smoothed."""
_INT: Final = struct.pack("i", 0)


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


def keep_little(sock: socket.socket) -> None:
    """Have the kernel keep at most `KERNEL_BYTES` that the peer has not taken: on loopback it would
    be 4 MB."""
    # It doubles what it is told (socket(7)).
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES // 2)


def still_expect_peer(sock: socket.socket, timeout: float) -> None:
    """The same for one of the connections. A local one, and one that is over, is left alone."""
    if sock.family != socket.AF_UNIX:
        with contextlib.suppress(OSError):
            expect_peer(sock, timeout)


def peer_name(address: tuple[object, ...]) -> str:
    """A client's address, from `accept`, as people write it."""
    host, port = str(address[0]).removeprefix("::ffff:"), address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def at_mark(sock: socket.socket) -> bool:
    """Whether the next byte to read is that of TCP urgent data."""
    return fcntl.ioctl(sock, _SIOCATMARK, _INT) != _INT


def has_unread(sock: socket.socket) -> bool:
    """Whether something that the peer sent waits to be read."""
    return fcntl.ioctl(sock, termios.FIONREAD, _INT) != _INT


def round_trip(sock: socket.socket) -> float:
    """Seconds that a TCP connection takes there and back, as the kernel has seen it."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RTT.size)
    return float(_RTT.unpack(info)[0]) / 1e6


def has_ended(sock: socket.socket) -> bool:
    """Whether the peer of a TCP or a local connection has closed its side."""
    if sock.family == socket.AF_UNIX:
        poll = select.poll()
        poll.register(sock, select.POLLRDHUP)
        return bool(poll.poll(0))
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    return info[0] in _ENDED
