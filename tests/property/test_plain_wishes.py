"""Intents that were not validated, as they were plainly right, are those that the model makes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from atrader.instruments import KNOWN
from atrader.orders.model import Intent
from atrader.wishes import Wishes
from research.events import wished as module
from research.events.wished import wished
from tests.support.event_runs import instance_of

D = Decimal
PLAIN = [D(1), D("0.01"), D("1.5e3")]
ODD = [
    D(0), D("-0"), D(-1), D("NaN"), D("Infinity"), D(10**15), D(10**15 - 1), D("1e-60"), D("1e-61"),
    D("1." + "0" * 61), D(0.1), 1, 0.5, True, "2", "two", b"3", None,
]  # fmt: skip
AMOUNTS: st.SearchStrategy[Any] = st.one_of(st.sampled_from(PLAIN), st.sampled_from(ODD))
TEXTS: st.SearchStrategy[Any] = st.sampled_from(["", "why", "größer", "\ud800", b"bytes", None, 3, "t" * 40])
PRICES: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.sampled_from(PLAIN), st.sampled_from([D(0), D(-2), D("1e14"), D(10**16), 3])
)
SIDES: st.SearchStrategy[Any] = st.sampled_from(["buy", "sell", "buy", "sell", "BUY", "", None, 1, b"buy"])


class Wishing(Wishes):
    """Keeps what would be made into an intent."""

    def __init__(self, decided: tuple[str | None, int]) -> None:
        config = instance_of()
        self.values: dict[str, Any] = {}
        self._decided = decided
        super().__init__(config, KNOWN[config.instrument], self._keep)

    def now_ns(self) -> int:
        return 60

    def decided(self) -> tuple[str | None, int]:
        return self._decided

    def _keep(self, values: dict[str, object]) -> Intent:
        self.values = values
        return Intent(magic=1, n=1, instance="i", instrument="EUR/USD", action="cancel", time_ns=1, order_id="a")


def result_of(make: Any) -> object:
    try:
        intent = make()
    except ValidationError as error:
        return error.errors(include_url=False, include_context=False)
    return [(name, value, type(value)) for name, value in intent.__dict__.items()], sorted(intent.model_fields_set)


def same(values: dict[str, Any], n: int) -> None:
    """Hold what is made of values against what the model makes of them, as text: NaN is itself there."""
    slow = result_of(lambda: Intent.model_validate({**values, "n": n}))
    assert repr(result_of(lambda: wished(values, n))) == repr(slow)


@st.composite
def wishes(draw: st.DrawFn) -> dict[str, Any]:
    context = Wishing(draw(st.sampled_from([(None, 0), ("1m|0", 60)])))
    kind = draw(st.sampled_from(["open", "open", "close", "modify", "cancel"]))
    if kind == "open":
        odd: dict[str, Any] = draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "risk_frac": AMOUNTS,
                    "order_type": st.sampled_from(["market", "limit", "none", None]),
                    "price": PRICES,
                    "trailing_distance": AMOUNTS,
                    "expires_ns": st.sampled_from([None, 5, "6", "x"]),
                    "reason": TEXTS,
                },
            )
            if draw(st.booleans())
            else st.just({})
        )
        protection = {"stop_loss": draw(PRICES), "take_profit": draw(PRICES)}
        context.order(draw(SIDES), units=draw(AMOUNTS), **protection, **odd)
    elif kind == "close":
        context.close(draw(TEXTS), units=draw(st.one_of(st.none(), AMOUNTS)), reason=draw(TEXTS))
    elif kind == "modify":
        context.modify(draw(TEXTS), stop_loss=draw(PRICES), reason=draw(TEXTS))
    else:
        context.cancel(draw(TEXTS), reason=draw(TEXTS))
    return context.values


@settings(max_examples=1500, deadline=None)
@given(values=wishes(), n=st.sampled_from([1, 2, 0, -1]))
def test_a_wish_becomes_what_the_model_makes_of_it_or_the_same_error(values: dict[str, Any], n: int) -> None:
    same(values, n)


@pytest.mark.parametrize("missing", ["reason", "units", "magic"])
def test_a_wish_that_is_not_of_a_context_is_validated(missing: str) -> None:
    context = Wishing((None, 0))
    context.close("a")
    same({name: value for name, value in context.values.items() if name != missing}, 1)
    same({**context.values, "surprise": 1}, 1)


def test_plain_wishes_are_not_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_checked", None)
    context = Wishing(("1m|0", 60))
    for call in (
        lambda: context.order("sell", units=D("0.01"), stop_loss=D("1.2"), take_profit=D(1)),
        lambda: context.close("a", units=D(3), reason="enough"),
        lambda: context.close("a"),
    ):
        call()
        assert wished(context.values, 1).action == context.values["action"]
