"""`python -m gatewayd.labgrid`."""

import sys

from gatewayd.labgrid.main import main

sys.exit(main())
