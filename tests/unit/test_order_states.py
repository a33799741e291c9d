"""The table of order states."""

from __future__ import annotations

import pytest

from atrader.orders.states import IN_FLIGHT, LIVE, TERMINAL, TRANSITIONS, OrderState, may_move

S = OrderState


def test_every_state_is_in_flight_live_or_has_an_outcome_and_only_one_of_them():
    assert set(OrderState) == IN_FLIGHT | LIVE | TERMINAL
    assert not IN_FLIGHT & LIVE
    assert not (IN_FLIGHT | LIVE) & TERMINAL


@pytest.mark.parametrize("state", sorted(TERMINAL - {S.LOST}))
def test_an_outcome_is_final(state):
    assert not any(may_move(state, other) for other in OrderState)


def test_only_a_lost_order_may_turn_up_again_and_never_as_sent():
    assert all(not may_move(S.LOST, state) for state in (S.NEW, S.SENT, S.UNKNOWN, S.DENIED))
    assert may_move(S.LOST, S.FILLED)


@pytest.mark.parametrize("state", list(OrderState))
def test_from_every_state_an_outcome_can_be_reached(state):
    seen, todo = set(), [state]
    while todo:
        current = todo.pop()
        if current not in seen:
            seen.add(current)
            todo.extend(TRANSITIONS.get(current, {}))
    assert seen & TERMINAL


def test_an_unknown_outcome_is_never_sent_again_without_a_proof_of_absence():
    assert not may_move(S.UNKNOWN, S.SENT)
    assert "certainly not executed" in TRANSITIONS[S.UNKNOWN][S.NEW]


def test_only_what_was_certainly_not_executed_goes_back_to_new():
    assert [state for state in OrderState if may_move(state, S.NEW)] == [S.SENT, S.UNKNOWN]


def test_only_orders_that_were_never_sent_are_denied():
    assert [state for state in OrderState if may_move(state, S.DENIED)] == [S.NEW]


@pytest.mark.parametrize("state", list(OrderState))
def test_no_state_moves_to_itself_and_every_move_says_why(state):
    assert not may_move(state, state)
    assert all(reason for reason in TRANSITIONS.get(state, {}).values())
