"""Built-in strategies. Importing this package imports none of them, and nothing else."""

BUILT_IN: dict[str, str] = {
    "asirikuy": "framework_bridge.strategy:AsirikuyStrategy",
    "atr-cross": "worker.strategies.atr_cross:AtrCross",
    "bollinger": "worker.strategies.bollinger:BollingerReversion",
    "bracket": "worker.strategies.bracket:Bracket",
    "breakout": "worker.strategies.breakout:Breakout",
    "ema-cross": "worker.strategies.ema_cross:EmaCross",
    "morning-range": "worker.strategies.morning_range:MorningRange",
    "overnight-range": "worker.strategies.overnight_range:OvernightRange",
    "rsi": "worker.strategies.rsi:RsiReversal",
    "scikit-learn": "worker.strategies.learned.strategy:Learned",
    "sma-cross": "worker.strategies.sma_cross:SmaCross",
    "trend": "worker.strategies.trend:TrendFollowing",
}
"""Strategies that come with atrader, by the name configuration uses: where the class is."""

NEED_FILES = frozenset({"asirikuy", "scikit-learn"})
"""Those that do nothing without files of their user: no defaults make them run."""
