"""gatewayd in the guest, installed from its package, as its service."""

from __future__ import annotations

import socket
from pathlib import Path

from gatewayd.log import Happening
from tests.vm.client import Client
from tests.vm.machine import Machine

CONFIGURATION = "/etc/gatewayd/gatewayd.yaml"
GUEST = "10.0.2.15"
NETWORK = "10.0.2.0/24"
"""The guest's, in which this machine is 10.0.2.2."""


class Gateway:
    """The service in `vm`. Its ports have to listen on `GUEST` to be reached from here."""

    def __init__(self, vm: Machine) -> None:
        self.vm = vm

    def install(self, package: Path) -> None:
        """Install the package as a user would; all that it depends on is there."""
        self.vm.copy(package, "/tmp/gatewayd.deb")
        self.vm.run(
            "DEBIAN_FRONTEND=noninteractive apt-get install -y /tmp/gatewayd.deb", timeout=120
        )

    def configure(self, ports: str) -> None:
        """Write a configuration with these `ports:`, the lines of which begin with two spaces."""
        self.vm.write(CONFIGURATION, f"version: 1\nallow: {NETWORK}\nports:\n{ports}")

    def systemctl(self, *arguments: str) -> None:
        """Do something with the service; raises MachineError where systemd says that it failed."""
        self.vm.run(["systemctl", *arguments, "gatewayd.service"], timeout=90)

    def start(self, ports: str, *ready: str) -> None:
        """Run with these ports, from a stop; wait until the devices of `ready` are open."""
        self.systemctl("stop")
        self.configure(ports)
        since = self.now()
        self.systemctl("start")
        for port in ready:
            self.wait_logged(Happening.DEVICE_READY, port, since)

    def shown(self, name: str) -> str:
        """A property of the unit, by `systemctl show`."""
        show = ["systemctl", "show", "--value", f"--property={name}", "gatewayd.service"]
        return self.vm.run(show).stdout.strip()

    def connect(self, port: int) -> Client:
        """A Telnet client of one of the guest's TCP ports."""
        return Client(self.vm.address(port))

    def connect_raw(self, port: int) -> socket.socket:
        """A plain TCP client of one of the guest's TCP ports."""
        return socket.create_connection(self.vm.address(port), 20)

    def wait_logged(
        self, happening: Happening, port: str, since: str, timeout: float = 30.0
    ) -> None:
        """Wait until the journal says that it happened to `port` after the time `since`."""
        fields = f"MESSAGE_ID={happening.value} GATEWAYD_PORT={port}"
        self.vm.wait_for(f"journalctl -q --since={since} {fields} | grep -q .", timeout)

    def now(self) -> str:
        """The guest's time, for `since`."""
        return self.vm.run("date +@%s.%6N").stdout.strip()
