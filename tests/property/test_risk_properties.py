"""What holds for the gate whatever the limits and the account."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from atrader.configuration.limits import AccountLimits, InstanceLimits, PropFirmLimits, TradeLimits
from atrader.risk import Allow, Deny, Quote, RiskLimits, denials, evaluate, resolve_units
from atrader.trading_state import TradingState
from tests.support.orders import make_intent, make_trade
from tests.support.risk_states import make_day, make_state

MONEY = st.integers(1, 10**7).map(lambda cents: Decimal(cents) / 100)
FRACTIONS = st.integers(1, 1000).map(lambda thousandths: Decimal(thousandths) / 1000)
MAYBE_MONEY = st.none() | MONEY
MAYBE_FRACTION = st.none() | FRACTIONS
LIMITS = st.builds(
    RiskLimits,
    trade=st.builds(TradeLimits, max_units=MAYBE_MONEY, max_risk_frac=MAYBE_FRACTION, stop_required=st.booleans()),
    instance=st.builds(InstanceLimits, max_position_units=MAYBE_MONEY, daily_loss=MAYBE_MONEY),
    account=st.builds(
        AccountLimits,
        daily_loss=MAYBE_MONEY,
        daily_loss_frac=MAYBE_FRACTION,
        max_drawdown_frac=MAYBE_FRACTION,
        drawdown_reference=st.sampled_from(("start", "peak", "day")),
        max_gross_exposure_frac=MAYBE_MONEY,
        max_net_exposure_frac=MAYBE_MONEY,
        max_margin_use_frac=MAYBE_FRACTION,
    ),
    prop_firm=st.none() | st.builds(PropFirmLimits, daily_loss_limit=MAYBE_MONEY, maximum_loss_limit=MAYBE_MONEY),
)
STATES = st.builds(
    lambda equity, state, floating, age_s, held: make_state(
        equity=equity,
        trading_state=state,
        floating={7: floating},
        quotes={"EUR/USD": Quote(Decimal("1.0999"), Decimal("1.1"), age_s)},
        trades=tuple(make_trade(f"t{number}") for number in range(held)),
    ),
    equity=st.decimals(-1000, 100_000, places=2),
    state=st.sampled_from(list(TradingState)),
    floating=st.decimals(-1000, 1000, places=2),
    age_s=st.floats(0, 100),
    held=st.integers(0, 3),
)
UNITS = st.integers(1, 200_000).map(Decimal)


@given(LIMITS, STATES)
def test_a_close_passes_all_rules_but_halted(limits, state):
    verdict = evaluate(limits, state, make_intent(action="close", trade_id="t0"))
    assert isinstance(verdict, Deny) is (state.trading_state is TradingState.HALTED)


@given(LIMITS, STATES, UNITS, UNITS)
def test_what_is_allowed_is_allowed_in_any_smaller_size(limits, state, one, other):
    small, large = sorted((one, other))
    if evaluate(limits, state, make_intent(units=large)) == Allow():
        assert evaluate(limits, state, make_intent(units=small)) == Allow()


@given(LIMITS, STATES, UNITS, st.decimals("0.01", make_day().peak_equity, places=2))
def test_a_rule_that_objects_still_objects_with_less_equity(limits, state, units, equity):
    # The peak must be known: equity above it would raise it.
    limits, state = replace(limits, prop_firm=None), replace(state, equity=equity)
    less = replace(state, equity=state.equity / 2)
    before = {denial.rule for denial in denials(limits, state, make_intent(units=units))}
    after = {denial.rule for denial in denials(limits, less, make_intent(units=units))}
    assert before <= after


@given(LIMITS, STATES, UNITS)
def test_opening_needs_the_active_state(limits, state, units):
    if evaluate(limits, state, make_intent(units=units)) == Allow():
        assert state.trading_state is TradingState.ACTIVE


@given(STATES, FRACTIONS, st.integers(1, 900))
def test_sized_orders_never_exceed_the_risk_they_were_sized_for(state, frac, distance):
    stop = Decimal("1.1") - Decimal(distance) / 10_000
    intent = make_intent(risk_frac=frac, stop_loss=stop)
    units = resolve_units(state, intent)
    limits = RiskLimits(trade=TradeLimits(max_risk_frac=frac, price_band_frac=Decimal(1)))
    assert "max-risk" not in {denial.rule for denial in denials(limits, state, intent, units)} or state.equity < 0
    assert units * (Decimal("1.1") - stop) <= max(Decimal(0), state.equity * frac)
