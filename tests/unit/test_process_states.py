"""The states of supervised processes, as data."""

import pytest

from manager.states import ALIVE, RESTING, TRANSITIONS, ProcessState, allowed


@pytest.mark.parametrize("state", ProcessState)
def test_every_state_can_be_reached_from_stopped_and_left(state: ProcessState) -> None:
    reached, new = set(), {ProcessState.STOPPED}
    while new:
        reached |= new
        new = {target for source, target in TRANSITIONS if source in reached} - reached
    assert state in reached
    assert any(source is state for source, _ in TRANSITIONS)


def test_every_transition_tells_when_it_happens_and_changes_something() -> None:
    assert all(when for when in TRANSITIONS.values())
    assert all(source is not target for source, target in TRANSITIONS)


def test_a_process_is_alive_or_rests() -> None:
    assert set(ProcessState) == ALIVE | RESTING
    assert not ALIVE & RESTING


@pytest.mark.parametrize("source", sorted(RESTING))
def test_only_a_new_life_leads_from_rest_to_life(source: ProcessState) -> None:
    assert {target for target in ALIVE if allowed(source, target)} == {ProcessState.STARTING}


def test_nothing_becomes_running_without_starting() -> None:
    assert {source for source, target in TRANSITIONS if target is ProcessState.RUNNING} == {ProcessState.STARTING}
