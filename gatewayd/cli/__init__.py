"""The command `gatewayd`: a module for each of its subcommands, imported when it is given.

Each has `HELP`, one line about the command; `add_arguments(parser)`; and `main(args)`, which
returns the exit status.
"""

CONFIG_PATH = "/etc/gatewayd/gatewayd.yaml"
"""The configuration that is read when none is named."""
