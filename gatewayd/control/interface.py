"""The control interface, in varlink's own language; `varlinkctl introspect` prints it."""

from __future__ import annotations

from typing import Final

NAME: Final = "io.gatewayd.Gateway"
NO_SUCH_PORT: Final = f"{NAME}.NoSuchPort"
NOT_HELD: Final = f"{NAME}.NotHeld"
CANNOT_ATTACH: Final = f"{NAME}.CannotAttach"
LEASED: Final = f"{NAME}.Leased"
NOT_LEASED: Final = f"{NAME}.NotLeased"
CONFIG_REJECTED: Final = f"{NAME}.ConfigRejected"
NO_CONFIG: Final = f"{NAME}.NoConfigFile"

DESCRIPTION: Final = """\
# Ports, sessions and configuration of a serial gateway
interface io.gatewayd.Gateway

type Session (
  number: int,
  face: string,
  peer: string,
  # who the client has proved to be, else what it calls itself, and whether it has proved it
  name: string,
  proven: bool,
  # the version of TLS; empty in clear text
  tls: string,
  since: string,
  # seconds since a byte came from it
  idle: int,
  leaving: bool,
  bytes_in: int,
  bytes_out: int
)

# One that watches
type Watcher (
  number: int,
  face: string,
  peername: string,
  name: string,
  proven: bool,
  since: string,
  bytes_out: int,
  # bytes that it did not take
  missed: int
)

# For whom a port is kept: clients from host, an address, or those called as the holder
type Tenancy (holder: string, until: string, note: string, host: string)

type Port (
  name: string,
  description: string,
  device: string,
  state: (absent, opening, ready, busy, failed, stuck),
  # why the device is not ready
  cause: string,
  # when it came into this state
  state_since: string,
  line: string,
  # the modem lines that are on: DTR, RTS, CTS, DSR, RI, CD; none for a line that has none
  signals: ?[]string,
  # face and address, as in the configuration
  listeners: []string,
  session: ?Session,
  watchers: []Watcher,
  lease: ?Tenancy,
  sessions: int,
  refused: int,
  # how often a client lost the port to another one
  takeovers: int,
  # bytes from the device, and to it
  received: int,
  sent: int,
  # when the device said something last
  last_received: ?string,
  # bytes that nobody was there for, and that the device did not take
  received_discarded: int,
  sent_discarded: int,
  # bytes that those who watch did not take
  missed: int,
  # how often the device went away
  losses: int,
  # when it did so last
  lost_at: ?string,
  breaks: int,
  framing_errors: int,
  parity_errors: int,
  # characters for which the UART had no room, and the kernel
  overruns: int,
  buffer_overruns: int,
  # none while nothing is recorded
  record: ?Record
)

type Record (
  directory: string,
  # why nothing can be recorded now
  cause: string,
  # bytes of the line that are missing
  lost: int
)

# Running counts of the receiver
type LineErrors (
  breaks: int,
  framing: int,
  parity: int,
  overruns: int,
  buffer_overruns: int
)

type Event (
  # session-opened, session-closed, session-refused, taken-over, watcher-came, watcher-left, leased,
  # freed, settings, signals, errors, break-sent, device, discarded
  kind: string,
  # for people
  text: string,
  peer: string,
  name: string,
  face: string,
  # what the line is set to now
  line: ?string,
  # the modem lines that are on now
  signals: ?[]string,
  errors: ?LineErrors,
  # bytes
  count: int
)

# What is served, in the order of the configuration
method Status() -> (version: string, since: string, ports: []Port)

# All ports with the first answer, then those that changed: changes of state at once, counters once
# a second while bytes go by; names are all ports, in the order of the configuration
method Changes() -> (version: string, since: string, names: []string, ports: []Port)

# What happens at a port and, unless bytes is false, what goes by. The first answer says how much
# was received before; each other has bytes (base64), or an event, or what a slow caller missed
# there. What clients send is told on the control socket only. With replay the first answer has what
# the device said last, as far as it is kept
method Watch(port: string, bytes: ?bool, replay: ?bool) -> (
  # microseconds since 1970; of the first byte
  at: int,
  from_line: ?string,
  to_line: ?string,
  event: ?Event,
  # bytes and events
  missed: int,
  missed_events: int,
  received: ?int,
  replay: ?string
)

# Put the configuration file in force; a file with problems changes nothing
method Reload() -> (summary: string)

# End the session that holds a port; with watchers all those who watch, instead. peer is the first
# of peers
method Kick(port: string, watchers: ?bool) -> (peer: string, peers: []string)

# Keep a port for somebody, for at most seven days; one who has it already gets more time, or less.
# holding is who holds the port meanwhile and would not get it now
method Lease(port: string, holder: string, seconds: int, note: ?string, host: ?string) -> (
  lease: Tenancy,
  holding: ?string
)

# Keep it for nobody any more
method Free(port: string) -> (holder: string)

# A connection to a port, handed over beside the answer as the descriptor (SCM_RIGHTS) of that
# index. It enters as any client does; mode is the face: rfc2217, raw, watch or watch_raw; or desk,
# the front desk, where the port may be left to choose. peer is whom it is for, in the words of the
# caller. With takeover it gets the port, whoever holds it
method Attach(port: ?string, mode: ?string, peer: ?string, takeover: ?bool) -> (fd: int)

error NoSuchPort(port: string)
error NotHeld(port: string)
error Leased(port: string, holder: string, until: string)
error NotLeased(port: string)
error CannotAttach(reason: string)
error NoConfigFile()
error ConfigRejected(problems: []string)
"""
