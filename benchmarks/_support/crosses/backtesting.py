"""The cross in backtesting.py, in an environment of its own: prints trades, final equity and milliseconds of CPU."""

import json
import sys
import time
import warnings

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

warnings.simplefilter("ignore")
frame = pd.DataFrame({name.title(): np.load(f"{sys.argv[1]}/{name}.npy") for name in ("open", "high", "low", "close")})


class Cross(Strategy):
    """Long while the fast average is above the slow one."""

    def init(self) -> None:
        """Make both averages, once."""
        self.fast, self.slow = (self.I(lambda n=n: self.data.Close.s.rolling(n).mean().values) for n in (10, 100))

    def next(self) -> None:
        """Decide at a bar's close."""
        fast, slow = self.fast, self.slow
        if fast[-1] > slow[-1] and fast[-2] <= slow[-2]:
            self.buy(size=1)
        elif fast[-1] < slow[-1] and fast[-2] >= slow[-2]:
            self.position.close()


began_s = time.process_time()
stats = Backtest(frame, Cross, cash=1e6, commission=0.001, finalize_trades=False).run()
took_s = time.process_time() - began_s
trades = len(stats["_trades"]) + len(stats["_strategy"].trades)
print(json.dumps([trades, float(stats["Equity Final [$]"]), took_s * 1000]))
