"""`python3 -m gatewayd` is the `gatewayd` command."""

import sys

from gatewayd.cli.main import main

sys.exit(main())
