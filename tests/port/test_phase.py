"""The table of a device's life: what changes it, and without a way into a corner."""

from __future__ import annotations

import pytest

from gatewayd.port.phase import TABLE, Cue, Phase, after


def test_the_table_has_what_changes_something_and_nothing_else() -> None:
    assert not [phase for (phase, _), changed in TABLE.items() if changed is phase]


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_can_become_ready(phase: Phase) -> None:
    reached = {phase}
    for _ in Phase:
        reached |= {after(one, cue) for one in reached for cue in Cue}
    assert Phase.READY in reached


@pytest.mark.parametrize("phase", Phase)
def test_only_a_try_that_succeeds_makes_a_port_ready(phase: Phase) -> None:
    ways = {cue for cue in Cue if after(phase, cue) is Phase.READY}
    assert ways == {
        Phase.OPENING: {Cue.OPENED},
        Phase.READY: set(Cue) - {Cue.LOST, Cue.HANGS},
    }.get(phase, set())


@pytest.mark.parametrize(
    ("cue", "found"),
    [
        (Cue.OPENED, Phase.READY),
        (Cue.NOT_THERE, Phase.ABSENT),
        (Cue.HELD, Phase.BUSY),
        (Cue.REFUSED, Phase.FAILED),
        (Cue.LOST, Phase.ABSENT),
        (Cue.HANGS, Phase.STUCK),
    ],
)
def test_a_try_ends_in_what_was_found(cue: Cue, found: Phase) -> None:
    assert after(Phase.OPENING, cue) is found


@pytest.mark.parametrize("phase", [Phase.ABSENT, Phase.BUSY, Phase.FAILED, Phase.STUCK])
def test_whatever_is_wrong_is_tried_again(phase: Phase) -> None:
    assert after(phase, Cue.TRY) is Phase.OPENING


@pytest.mark.parametrize("phase", Phase)
def test_a_device_that_is_lost_is_absent(phase: Phase) -> None:
    assert after(phase, Cue.LOST) is Phase.ABSENT


@pytest.mark.parametrize("phase", Phase)
def test_a_device_that_hangs_is_stuck(phase: Phase) -> None:
    assert after(phase, Cue.HANGS) is Phase.STUCK


def test_a_ready_device_is_not_opened_again() -> None:
    assert after(Phase.READY, Cue.TRY) is Phase.READY
