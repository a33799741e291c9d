"""Money of the vector engine: whole cents of whole ticks times whole unit steps, rounded half to even.

Where the quote currency is that of the account everything is exact. Elsewhere one float64 multiplication by the rate
comes in, in a fixed order of operations, so that the compiled execution gives the same cents.
"""

from __future__ import annotations

from research.vector.settings import HOME, Settings


def half_even(numerator: int, denominator: int) -> int:
    """Return the nearest whole number of a fraction, half to even; the denominator is positive."""
    whole, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return whole + (twice > denominator or (twice == denominator and whole % 2 == 1))


def own_rate(middle_twice: int, tick: float) -> float:
    """Return account currency per quote currency where the base is the account's, to 12 digits as `paper.money`."""
    rate = 2.0 / (middle_twice * tick)
    scale = 1e11
    while rate * scale < 1e11:
        scale *= 10.0
    while rate * scale >= 1e12:
        scale /= 10.0
    return round(rate * scale) / scale


def value(s: Settings, product: int, rate: float) -> int:
    """Return what ticks times steps are worth, cents of the account currency."""
    if s.rate == HOME:
        return half_even(product * s.value_num, s.value_den)
    return round(product * s.value_scale * rate)


def commission(s: Settings, product: int, rate: float) -> int:
    """Return the commission of one fill of price times steps, cents, negative = paid."""
    if not s.commission_num:
        return 0
    if s.rate == HOME:
        return -half_even(product * s.commission_num, s.commission_den)
    return -round(product * s.commission_scale * rate)


def margin(s: Settings, steps: int, middle_twice: int, rate: float) -> int:
    """Return the margin of so many steps at a middle price (given twice), cents."""
    product = steps * middle_twice
    if s.rate == HOME:
        return half_even(product * s.value_num * s.margin_num, 2 * s.value_den * s.margin_den)
    return round(product * s.value_scale * rate * s.margin_num / s.margin_den / 2.0)


def swap(s: Settings, steps: int, middle_twice: int, rate: float, yearly: float, days: int) -> int:
    """Return the financing of so many steps, cents, negative = paid."""
    return round(steps * middle_twice * s.value_scale * rate * yearly * days / 730.0)


def steps_for_risk(s: Settings, equity: int, risk: int, distance: int, rate: float) -> int:
    """Return the steps that lose a share of the equity (parts of 10**12) over a distance in ticks; 0: do not trade."""
    if equity <= 0 or distance <= 0:
        return 0
    if s.rate == HOME:
        wanted = equity * risk * s.value_den // (distance * s.value_num * 10**12)
    else:
        wanted = int(equity * (risk * 1e-12) / (distance * s.value_scale * rate))
    wanted = min(wanted, s.most_steps)
    return wanted if wanted >= s.least_steps else 0
