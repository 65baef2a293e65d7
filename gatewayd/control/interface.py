"""The control interface, in varlink's own language; `varlinkctl introspect` prints it."""

from __future__ import annotations

from typing import Final

NAME: Final = "io.gatewayd.Gateway"
NO_SUCH_PORT: Final = f"{NAME}.NoSuchPort"
NOT_HELD: Final = f"{NAME}.NotHeld"
CONFIG_REJECTED: Final = f"{NAME}.ConfigRejected"
NO_CONFIG: Final = f"{NAME}.NoConfigFile"

DESCRIPTION: Final = """\
# Ports, sessions and configuration of a serial gateway
interface io.gatewayd.Gateway

type Session (
  number: int,
  face: string,
  peer: string,
  since: string,
  leaving: bool,
  bytes_in: int,
  bytes_out: int
)

type Port (
  name: string,
  description: string,
  device: string,
  state: (absent, opening, ready, busy, failed),
  # why the device is not ready
  cause: string,
  line: string,
  # face and address, as in the configuration
  listeners: []string,
  session: ?Session,
  sessions: int,
  refused: int,
  # bytes from the device, and to it
  received: int,
  sent: int,
  # bytes that nobody was there for, and that the device did not take
  received_discarded: int,
  sent_discarded: int,
  # how often the device went away
  losses: int,
  breaks: int,
  framing_errors: int,
  parity_errors: int,
  overruns: int
)

# What is served, in the order of the configuration
method Status() -> (version: string, since: string, ports: []Port)

# Put the configuration file in force; a file with problems changes nothing
method Reload() -> (summary: string)

# End the session that holds a port
method Kick(port: string) -> (peer: string)

error NoSuchPort(port: string)
error NotHeld(port: string)
error NoConfigFile()
error ConfigRejected(problems: []string)
"""
