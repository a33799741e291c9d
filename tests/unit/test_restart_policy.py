"""The restart policy is a table: each row is used, and each death finds one."""

import itertools
import signal

import pytest

from atrader.exit_codes import ExitCode
from manager.restart_policy import (
    RULES,
    SPENT_RULES,
    Action,
    Cause,
    Exposure,
    Phase,
    Rule,
    cause_of,
    decide,
    decide_spent,
)

EVERY_DEATH = list(itertools.product(Cause, Phase, Exposure))


@pytest.mark.parametrize(("cause", "phase", "exposure"), EVERY_DEATH)
def test_every_death_has_a_row(cause: Cause, phase: Phase, exposure: Exposure) -> None:
    assert decide(cause, phase, exposure).why


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.cause}-{rule.phase}-{rule.action.name}")
def test_no_row_is_hidden_behind_others(rule: Rule) -> None:
    assert any(decide(*death) is rule for death in EVERY_DEATH)


@pytest.mark.parametrize("cause", [Cause.CONFIG, Cause.AUTH, Cause.INVARIANT])
@pytest.mark.parametrize("phase", Phase)
def test_what_a_restart_cannot_mend_fails(cause: Cause, phase: Phase) -> None:
    assert {decide(cause, phase, exposure).action for exposure in Exposure} == {Action.FAIL}


@pytest.mark.parametrize(
    ("cause", "before", "after"),
    [
        (Cause.OK, Action.RESTART_DELAYED, Action.RESTART),
        (Cause.FAILURE, Action.RESTART_DELAYED, Action.RESTART),
        (Cause.STALLED, Action.RESTART_DELAYED, Action.RESTART),
        (Cause.MEMORY, Action.RESTART_DELAYED, Action.RESTART),
        (Cause.UNKNOWN, Action.RESTART_DELAYED, Action.RESTART),
        (Cause.STRATEGY, Action.RESTART_DELAYED, Action.RESTART_DELAYED),
        (Cause.SIGNAL, Action.RESTART, Action.RESTART),
        (Cause.PARENT_DIED, Action.RESTART, Action.RESTART),
        (Cause.RECYCLE, Action.RESTART_AT_ONCE, Action.RESTART_AT_ONCE),
        (Cause.BROKER_MAINTENANCE, Action.WAIT, Action.WAIT),
        (Cause.LOCKED, Action.WAIT, Action.WAIT),
        (Cause.STORE, Action.WAIT, Action.WAIT),
    ],
)
def test_the_cause_and_the_phase_decide_how_it_comes_back(cause: Cause, before: Action, after: Action) -> None:
    assert decide(cause, Phase.BEFORE_READY, Exposure.FLAT).action is before
    assert decide(cause, Phase.AFTER_READY, Exposure.FLAT).action is after


@pytest.mark.parametrize(
    ("exposure", "action"),
    [(Exposure.FLAT, Action.PROBATION), (Exposure.EXPOSED, Action.FAIL), (Exposure.UNKNOWN, Action.FAIL)],
)
def test_a_worker_whose_budget_is_spent_is_tried_again_only_while_flat(exposure: Exposure, action: Action) -> None:
    assert decide_spent("worker", exposure).action is action


@pytest.mark.parametrize("exposure", Exposure)
def test_gateway_and_data_layer_are_never_given_up(exposure: Exposure) -> None:
    assert decide_spent("gateway", exposure).action is Action.PROBATION
    assert decide_spent("data-layer", exposure).action is Action.PROBATION
    assert all(rule.why for rule in SPENT_RULES)


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (-signal.SIGKILL, Cause.SIGNAL),
        (-signal.SIGSEGV, Cause.SIGNAL),
        (None, Cause.UNKNOWN),
        (200, Cause.UNKNOWN),
        (ExitCode.USAGE, Cause.UNKNOWN),
        *((code, Cause[code.name]) for code in ExitCode if code.name in Cause.__members__),
    ],
)
def test_an_exit_status_tells_the_cause(status: int | None, cause: Cause) -> None:
    assert cause_of(status) is cause
