"""A program that tells of as many ports as its argument says, until it is stopped."""

from __future__ import annotations

import signal
import sys

from jeepney import DBusAddress, Message, new_method_call
from jeepney.io.blocking import open_dbus_connection

AVAHI = "org.freedesktop.Avahi"


def main(count: int) -> None:
    """Tell of them."""
    connection = open_dbus_connection("SYSTEM")

    def call(message: Message) -> str:
        (answer,) = connection.send_and_get_reply(message).body or ("",)
        return str(answer)

    for number in range(count):
        server = DBusAddress("/", AVAHI, f"{AVAHI}.Server")
        path = call(new_method_call(server, "EntryGroupNew"))
        group = DBusAddress(path, AVAHI, f"{AVAHI}.EntryGroup")
        txt = [b"provider=gatewayd", b"port=many%d" % number, b"gensiostack=tcp", b"held=0"]
        service = (-1, -1, 0, f"many{number}", "_iostream._tcp", "", "", 4000 + number, txt)
        call(new_method_call(group, "AddService", "iiussssqaay", service))
        call(new_method_call(group, "Commit"))
    print("told of all", flush=True)
    signal.pause()


if __name__ == "__main__":
    main(int(sys.argv[1]))
