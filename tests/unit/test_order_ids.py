"""Client order ids: derived, readable back, and valid everywhere."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrader.orders.ids import MAX_MAGIC, IntentId, client_id_of, intent_id_of

MAGICS = st.integers(1, MAX_MAGIC)
COUNTERS = st.integers(-(36**9), 36**9).filter(bool)


@given(MAGICS, COUNTERS)
def test_an_intent_id_can_be_read_back_from_its_client_id(magic, n):
    client_id = client_id_of(IntentId(magic, n))
    assert intent_id_of(client_id) == IntentId(magic, n)
    assert re.fullmatch(r"[a-z][a-z0-9]{0,17}", client_id)


@given(MAGICS, COUNTERS, MAGICS, COUNTERS)
def test_two_intents_never_share_a_client_id(magic, n, other_magic, other_n):
    same = (magic, n) == (other_magic, other_n)
    assert (client_id_of(IntentId(magic, n)) == client_id_of(IntentId(other_magic, other_n))) is same


@given(st.text(max_size=20) | st.text("abgw0129z", max_size=18))
def test_an_id_of_somebody_else_is_recognised_or_is_exactly_ours(text):
    found = intent_id_of(text)
    assert found is None or client_id_of(found) == text


@pytest.mark.parametrize(("magic", "n"), [(0, 1), (MAX_MAGIC + 1, 1), (-1, 1), (1, 0)])
def test_ids_outside_the_range_are_refused(magic, n):
    with pytest.raises(ValueError, match="no valid intent id"):
        client_id_of(IntentId(magic, n))


def test_intents_of_worker_and_gateway_with_the_same_number_differ():
    assert client_id_of(IntentId(1001, 5)) == "a0000rtw5"
    assert client_id_of(IntentId(1001, -5)) == "a0000rtg5"
