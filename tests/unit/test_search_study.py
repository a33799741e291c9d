"""A search goes on with what it began with: the same bars in another form of fingerprint are the same bars."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np

from atrader.market import Bars
from manager.backtests.files import data_hash
from manager.searches.study import DRAWN, changes_of
from research.events.plan import Plan
from tests.support.event_runs import account_of, instance_of, plan_of, random_bars
from worker.strategies.sma_cross import SmaCross

PLAN = plan_of(
    account_of(),
    [(instance_of(), SmaCross(SmaCross.Parameters.model_validate({})))],
    {("EUR/USD", "1m"): random_bars(1, 200, 1.1, 1e-5)},
)


def study(**other: Any) -> dict[str, Any]:
    paper = {"slippage_pips": "0.2", "seed": 1}
    usual = {"program": "0.1.0", "made": "now", "engine": "vector", "slippage": DRAWN, "data_sha256": data_hash(PLAN)}
    return {**usual, "account": {"name": "paper", "paper": paper}, "fixed": {"fast": 2}, **other}


def in_one_piece(plan: Plan) -> str:
    """Return what version 0.1.0 kept before it fingerprinted column by column: one digest of all bytes."""
    digest = hashlib.sha256()
    for tape in plan.tapes:
        for column in (tape.end_ns, tape.bid_low, tape.bid_high, tape.ask_low, tape.ask_high, *tape.closes()):
            digest.update(column.tobytes())
    for key, bars in sorted(plan.series.items()):
        digest.update("|".join(key).encode())
        for values in bars.columns:
            digest.update(values.tobytes())
    return digest.hexdigest()


def test_bars_that_an_earlier_version_fingerprinted_in_its_own_form_are_the_same_bars() -> None:
    kept = study(data_sha256=in_one_piece(PLAN))
    assert kept["data_sha256"] != study()["data_sha256"]
    assert changes_of(kept, study(), PLAN) == []
    key, bars = next(iter(PLAN.series.items()))
    other = replace(PLAN, series={key: Bars(*bars.columns[:-1], np.zeros(len(bars)))})
    assert changes_of(kept, study(data_sha256=data_hash(other)), other) == ["stored bars"]


def test_what_changed_is_named_by_its_key_with_both_values() -> None:
    now = study(account={"name": "paper", "paper": {"slippage_pips": "0.3", "seed": 1, "skew": 0}}, fixed={"fast": 3})
    assert changes_of(study(), now, PLAN) == [
        "account.paper.skew (which the version that began it did not know)",
        "account.paper.slippage_pips (0.2 before, 0.3 now)",
        "fixed.fast (2 before, 3 now)",
    ]
    assert changes_of(study(), study(made="later", program="0.2.0"), PLAN) == []


def test_sets_that_were_tried_with_slippage_at_its_worst_are_not_mixed_with_those_of_today() -> None:
    kept = study()
    del kept["slippage"]
    (told,) = changes_of(kept, study(), PLAN)
    assert told.startswith("slippage (version 0.1.0, which began it, took it at its worst")
    kept["account"]["paper"]["slippage_pips"] = "0"
    assert len(changes_of(kept, study(), PLAN)) == 1  # the account itself
    by_events = study(engine="events")
    del by_events["slippage"]
    assert changes_of(by_events, study(engine="events"), PLAN) == []
