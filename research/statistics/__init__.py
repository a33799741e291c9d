"""What a backtest is worth, and how much of it is luck; docs/research-statistics.md has definitions and sources.

Pure functions over numpy arrays, without I/O. Whatever draws at random takes a seed and gives the same numbers for it.
Sharpe ratios are per period of the returns, unless a name or docstring says annualised. Figures of trades come from
`atrader.statistics`, which serves the history as well.
"""

from research.statistics.annualisation import periods_per_year
from research.statistics.discovery import (
    critical_sharpe,
    observed_false_discovery,
    planned_false_discovery,
    power_of,
)
from research.statistics.neighbourhood import Neighbourhood, neighbourhood_of_points, neighbourhood_on_grid
from research.statistics.overfitting import Overfitting, probability_of_overfitting
from research.statistics.periods import PeriodReturns, period_returns
from research.statistics.permutation import Permuted, p_value_of, permutation_test, permuted_bars
from research.statistics.resampling import ReturnPaths, TradeOrders, bootstrap_returns, trade_orders
from research.statistics.returns import (
    AccountStatistics,
    CurveStatistics,
    MarketComparison,
    ReturnStatistics,
    account_statistics,
    against_market,
    curve_statistics,
    return_statistics,
)
from research.statistics.robustness import (
    WindowRobustness,
    over_windows,
    ranking,
    robustness_factor,
    robustness_factors,
)
from research.statistics.sample import NORMAL, Sample, Shape, sample_of
from research.statistics.sharpe import (
    Convention,
    Interval,
    annualisation_factor,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_error,
    sharpe_interval,
)
from research.statistics.trials import (
    Deflated,
    EffectiveTrials,
    deflate,
    deflated_sharpe,
    effective_trials,
    expected_maximum,
    minimum_backtest_length,
    sharpe_ratios,
)

__all__ = [
    "NORMAL",
    "AccountStatistics",
    "Convention",
    "CurveStatistics",
    "Deflated",
    "EffectiveTrials",
    "Interval",
    "MarketComparison",
    "Neighbourhood",
    "Overfitting",
    "PeriodReturns",
    "Permuted",
    "ReturnPaths",
    "ReturnStatistics",
    "Sample",
    "Shape",
    "TradeOrders",
    "WindowRobustness",
    "account_statistics",
    "against_market",
    "annualisation_factor",
    "bootstrap_returns",
    "critical_sharpe",
    "curve_statistics",
    "deflate",
    "deflated_sharpe",
    "effective_trials",
    "expected_maximum",
    "minimum_backtest_length",
    "minimum_track_record",
    "neighbourhood_of_points",
    "neighbourhood_on_grid",
    "observed_false_discovery",
    "over_windows",
    "p_value_of",
    "period_returns",
    "periods_per_year",
    "permutation_test",
    "permuted_bars",
    "planned_false_discovery",
    "power_of",
    "probabilistic_sharpe",
    "probability_of_overfitting",
    "ranking",
    "return_statistics",
    "robustness_factor",
    "robustness_factors",
    "sample_of",
    "sharpe_error",
    "sharpe_interval",
    "sharpe_ratios",
    "trade_orders",
]
