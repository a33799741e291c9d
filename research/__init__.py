"""Finding out whether a strategy is worth running.

Vectorised backtest, walk-forward optimisation, robustness statistics, replay and reports. Imports ``atrader``, the
client of ``data_layer``, and ``worker.strategies``.
"""

# The import names here are common ones: at start each process checks with this that the modules it got are ours.
__distribution__ = "atrader-platform"
