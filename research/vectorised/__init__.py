"""Plans of a backtest on the vector engine: what fits it, what is played, and findings like those of the event engine.

Layers, each importing only those before it: ``fit`` (what the vector engine knows of an account), ``stage`` (bars and
costs of a plan, ready for any decisions; the sets of a search share one), ``refusals`` and ``risked`` (what the gate
says of entries), ``numbering`` (orders in the order they were wanted), ``slippage`` and ``played`` (decisions carried
out), ``orders`` (what was wanted), ``financed`` and ``traded`` (bookings, and trades as columns), ``run``.
"""

from research.vectorised.fit import NotVector, why_not_plan, why_not_same, why_not_vector, without_limits
from research.vectorised.run import run_vector
from research.vectorised.stage import Stage

__all__ = [
    "NotVector",
    "Stage",
    "run_vector",
    "why_not_plan",
    "why_not_same",
    "why_not_vector",
    "without_limits",
]
