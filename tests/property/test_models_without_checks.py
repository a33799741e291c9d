"""Models built and copied without checks are the same whether that was compiled or not."""

from __future__ import annotations

import gc
import pickle
import sys
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, PrivateAttr

from atrader.fast_models import (
    PlainlyRead,
    changed,
    is_compiled,
    made,
    made_from,
    plainly_changed,
    plainly_made,
    plainly_made_from,
)
from atrader.orders.broker import AnyReport, BrokerOrder, Modification
from atrader.orders.model import Fill, Intent, Order, Trade
from atrader.orders.states import OrderState

pytestmark = pytest.mark.skipif(not is_compiled, reason="nothing was compiled")

KINDS = (Intent, Order, Fill, Trade, BrokerOrder, Modification, *get_args(AnyReport))
VALUES = st.one_of(st.none(), st.text(max_size=3), st.integers(), st.decimals(allow_nan=False))


def state_of(model: BaseModel) -> tuple[Any, ...]:
    """Return all that a model holds, the order of its fields too."""
    pydantic = (model.__pydantic_fields_set__, model.__pydantic_extra__, model.__pydantic_private__)
    return type(model), list(model.__dict__.items()), *pydantic


@st.composite
def given_of(draw: st.DrawFn, kind: type[BaseModel]) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(sorted(kind.model_fields)), unique=True))
    return {name: draw(VALUES) for name in names}


@settings(max_examples=200, deadline=None)
@given(data=st.data(), kind=st.sampled_from(KINDS))
def test_compiled_or_not_a_model_and_its_copies_hold_the_same(data: st.DataObject, kind: type[BaseModel]) -> None:
    values, first, second = (data.draw(given_of(kind)) for _ in range(3))
    quick, slow = made(kind, **values), plainly_made(kind, **values)
    assert state_of(quick) == state_of(slow)
    assert state_of(made_from(kind, values, set(values))) == state_of(slow)
    assert state_of(plainly_made_from(kind, values, set(values))) == state_of(slow)
    before = state_of(slow)
    copies = changed(changed(quick, **first), **second), plainly_changed(plainly_changed(slow, **first), **second)
    assert state_of(copies[0]) == state_of(copies[1])
    assert state_of(quick) == before
    assert state_of(pickle.loads(pickle.dumps(copies[0]))) == state_of(copies[1])


def test_a_copy_of_a_validated_model_is_that_of_python() -> None:
    intent = Intent(magic=1, n=1, instance="i", instrument="EUR/USD", action="cancel", time_ns=1, order_id="a")
    assert state_of(changed(intent, n=2)) == state_of(plainly_changed(intent, n=2))
    assert changed(intent, n=2, units=Decimal(1)).model_fields_set == {*intent.model_fields_set, "units"}


@pytest.mark.parametrize(
    ("fill", "given"),
    [
        (made, (int,)),
        (made, ("Order",)),
        (made, ()),
        (made_from, (int, {}, set())),
        (made_from, (Order, [], set())),
        (changed, (1,)),
    ],
)
def test_what_is_no_model_is_refused(fill: Any, given: tuple[Any, ...]) -> None:
    with pytest.raises((TypeError, AttributeError)):
        fill(*given)


@pytest.mark.parametrize("change", [changed, plainly_changed])
def test_a_class_in_place_of_its_model_is_refused(change: Any) -> None:
    with pytest.raises((TypeError, AttributeError)):
        change(BaseModel)


def test_models_are_given_back_when_nobody_has_them() -> None:
    values = {"client_id": "c", "state": "SENT", "created_ns": 1}

    def use() -> None:
        for number in range(2000):
            changed(made(Order, **values, updated_ns=number), version=number, reason="other")
            made_from(Order, {**values, "updated_ns": number}, set(values))

    use()
    gc.collect()
    before = sys.getallocatedblocks()
    use()
    gc.collect()
    assert sys.getallocatedblocks() - before < 500


def test_only_models_that_can_be_in_no_cycle_are_passed_over_when_garbage_is_sought() -> None:
    intent = made(Intent, magic=1, n=1, units=Decimal(1), instrument="EUR/USD")
    plain, odd = made(Order, intent=intent, state=OrderState.FILLED), made(Order, intent=intent, reason=[])
    assert [gc.is_tracked(one) for one in (intent, plain, plain.__dict__)] == [False, False, False]
    assert gc.is_tracked(odd)
    assert gc.is_tracked(changed(intent, reason={}))
    cycle: list[Any] = []
    cycle.append(made(Order, reason=cycle))
    gc.collect()
    del cycle
    assert gc.collect() >= 2


NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)


class Asked(BaseModel):
    """As pydantic reads its attributes."""

    model_config = ConfigDict(frozen=True)
    one: int
    two: str = "2"

    @property
    def three(self) -> int:
        return self.one + 2


class Read(Asked, PlainlyRead):
    """The same, read as any other class."""


class Private(PlainlyRead):
    """Has what only pydantic finds."""

    model_config = ConfigDict(extra="allow")
    _hidden: int = PrivateAttr(default=3)


def told_of(model: BaseModel, name: str) -> str:
    """Return what reading an attribute gives, or how it fails; that of the class is called alike for both."""
    try:
        return repr(getattr(model, name)).replace("Asked", "Read")
    except AttributeError as error:
        return str(error).replace("Asked", "Read")


@given(name=NAMES | st.sampled_from(["one", "two", "three", "four", "__dict__"]))
def test_attributes_read_without_pydantic_are_the_same_and_fail_in_the_same_words(name: str) -> None:
    asked, read = Asked(one=1), Read(one=1)
    assert told_of(asked, name) == told_of(read, name)
    assert (read.model_fields_set, read.model_extra, read.model_dump()) == ({"one"}, None, {"one": 1, "two": "2"})


def test_a_kind_with_private_attributes_or_more_fields_still_has_them() -> None:
    model = Private(more=4)  # type: ignore[call-arg]
    assert (model._hidden, model.more) == (3, 4)  # type: ignore[attr-defined]
