"""What the page on the vector engine shows runs as it stands, and its tables name what there is."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import research.vector
from atrader.calendars import Calendar
from atrader.instruments import KNOWN
from research.vector import CONVENTIONS, Rules
from tests.support.doc_commands import ROOT
from tests.support.event_runs import MINUTE, account_of, random_bars
from worker.strategies.sma_cross import SmaCross, SmaCrossParameters

PAGE = (ROOT / "docs/vector-engine.md").read_text(encoding="utf-8")


def test_the_run_that_is_shown_runs() -> None:
    names: dict[str, Any] = {name: getattr(research.vector, name) for name in research.vector.__all__}
    names |= {
        "account": account_of(), "instrument": KNOWN["EUR/USD"], "bars": random_bars(1, 900, 1.09, 1e-5),
        "duration_ns": MINUTE, "strategy": SmaCross(SmaCrossParameters(fast=3, slow=9)), "Calendar": Calendar,
    }  # fmt: skip
    exec(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0], names)
    assert len(names["outcome"].trades) > 10
    assert len(names["curve"].equity) == 900


def test_the_tables_name_every_convention_and_every_rule() -> None:
    rows = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z_.-]+)`", row)}
    assert named == {*CONVENTIONS, *(field.name for field in fields(Rules))} - {"convention"}
