"""The states of a port's device as a Mermaid diagram: `python -m tests.service.diagram`."""

from __future__ import annotations

from gatewayd.port.phase import TABLE, Cue, Phase

WORDS = {
    Cue.TRY: "looked for",
    Cue.OPENED: "opened",
    Cue.NOT_THERE: "not there",
    Cue.HELD: "held by another program",
    Cue.REFUSED: "cannot be opened",
    Cue.LOST: "gone",
    Cue.HANGS: "the driver hangs",
}


def diagram() -> str:
    """What docs/ports.md shows: each change of the table, those that change nothing left out."""
    changes: dict[tuple[Phase, Phase], list[str]] = {}
    for (before, cue), after in TABLE.items():
        if before is not after:
            changes.setdefault((before, after), []).append(WORDS[cue])
    lines = [
        f"    {before.value} --> {after.value}: {', '.join(words)}"
        for (before, after), words in changes.items()
    ]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {Phase.ABSENT.value}", *lines, ""])


if __name__ == "__main__":
    print(diagram(), end="")
