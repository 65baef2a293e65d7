"""Clients that watch: `python -m bench.watcher TCP_PORT COUNT [stuck]` goes on until it is ended.

They read all that comes, or nothing at all. It says when all of them watch.
"""

from __future__ import annotations

import select
import socket
import sys

BLOCK = 1 << 18
_GREETING = 18
"""Bytes with which a Telnet client is greeted."""


def watch(tcp_port: int, count: int, *, stuck: bool) -> None:
    """Connect, and read. Does not return."""
    socks = [socket.create_connection(("127.0.0.1", tcp_port)) for _ in range(count)]
    for sock in socks:
        sock.recv(_GREETING)
    print("watching", flush=True)
    if stuck:
        select.select([], [], [])
    poll = select.poll()
    by_fd = {sock.fileno(): sock for sock in socks}
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    while by_fd:
        for fd, _ in poll.poll():
            if not by_fd[fd].recv(BLOCK):
                poll.unregister(fd)
                by_fd.pop(fd).close()


if __name__ == "__main__":
    watch(int(sys.argv[1]), int(sys.argv[2]), stuck=sys.argv[3:] == ["stuck"])
