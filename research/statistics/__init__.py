"""What a backtest is worth, and how much of it is luck; docs/research-statistics.md has definitions and sources.

Pure functions over numpy arrays, without I/O. Whatever draws at random takes a seed and gives the same numbers for it.
Sharpe ratios are per period of the returns, unless a name or docstring says annualised. Figures of trades come from
`atrader.statistics`, which serves the history as well.
"""
