"""The gate: paused while anybody has a reason."""

from __future__ import annotations

from gatewayd.port.gate import Gate, Hold


def gate() -> tuple[Gate, list[str]]:
    calls: list[str] = []
    return Gate(lambda: calls.append("pause"), lambda: calls.append("resume")), calls


def test_the_first_reason_pauses_and_the_last_one_resumes() -> None:
    it, calls = gate()
    it.hold(Hold.CLIENT_SLOW)
    it.hold(Hold.SUSPENDED)
    assert calls == ["pause"]
    it.release(Hold.CLIENT_SLOW)
    assert calls == ["pause"]
    it.release(Hold.SUSPENDED)
    assert calls == ["pause", "resume"]


def test_the_same_reason_twice_is_one_reason() -> None:
    it, calls = gate()
    it.hold(Hold.LINE_FULL)
    it.hold(Hold.LINE_FULL)
    it.release(Hold.LINE_FULL)
    assert calls == ["pause", "resume"]


def test_taking_back_a_reason_that_nobody_had_does_nothing() -> None:
    it, calls = gate()
    it.release(Hold.ABSENT)
    it.hold(Hold.REPLIES)
    it.release(Hold.ABSENT)
    assert calls == ["pause"]
    assert it.held == Hold.REPLIES


def test_several_reasons_can_go_at_once() -> None:
    it, calls = gate()
    it.hold(Hold.CLIENT_SLOW)
    it.hold(Hold.SUSPENDED)
    it.release(Hold.CLIENT_SLOW | Hold.SUSPENDED)
    assert calls == ["pause", "resume"]
