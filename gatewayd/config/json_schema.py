"""The JSON Schema (draft 7) of the configuration, by which editors complete and check a file.

`python3 -m gatewayd.config.json_schema` prints it. It is of good will only: what two ports must not
share, and what a match needs, is for `gatewayd check`.
"""

from __future__ import annotations

import json

from gatewayd.config.document import TOP_SETTINGS
from gatewayd.config.setting import Json, mapping_schema


def schema() -> Json:
    """The schema as JSON values."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "gatewayd.yaml",
        "description": "Serial devices and where gatewayd serves them.",
        **mapping_schema(TOP_SETTINGS),
    }


def text() -> str:
    """The schema as it is shipped."""
    return json.dumps(schema(), indent=2) + "\n"


if __name__ == "__main__":
    print(text(), end="")
