"""Market conditions: where a market goes and how far it moves, told from bars (docs/selection.md)."""

from atrader.conditions.arrays import conditions
from atrader.conditions.incremental import ConditionDetector
from atrader.conditions.model import PHASES, VOLATILITIES, Condition, Conditions, Phase, Volatility

__all__ = [
    "PHASES",
    "VOLATILITIES",
    "Condition",
    "ConditionDetector",
    "Conditions",
    "Phase",
    "Volatility",
    "conditions",
]
