"""The arguments of one strategy's calls: allocated once, written again before each."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrader.broker_clock import WallClock
from atrader.errors import ConfigError
from atrader.market import Bars
from framework_bridge.abi.account import ACCOUNT_FIELDS, PRICE_FIELDS, AccountInfo, Prices
from framework_bridge.abi.orders import OrderArray
from framework_bridge.abi.prototypes import RUN_ARGUMENTS
from framework_bridge.abi.rates import RatesPlan
from framework_bridge.abi.rates_array import RatesArray
from framework_bridge.abi.results import ResultArray
from framework_bridge.abi.settings import Setting
from framework_bridge.abi.structures import RATES_ARRAYS, RATES_INFO, SETTINGS

_NAME_BYTES: Final = 64
_RATES_FROM: Final = RUN_ARGUMENTS.index("rates_0")
_ORDER_COUNTS: Final = 6  # never read, never NULL


class StrategyCall:
    """Everything that ``c_runStrategy`` takes, in memory that stays where it is. For one thread.

    Parameters
    ----------
    settings : ndarray of float64, shape (64,)
        From `framework_bridge.abi.settings.settings_array`; they decide how many orders and results there are.
    symbol : str
        As the library writes it, such as ``EURUSD``.
    currency : str
        The account's.
    broker, reference : str
        Rows of ``broker-tz.csv``.
    clock : WallClock
        The broker's; bars and times are passed as it shows them.
    plans : sequence of RatesPlan or None
        What each rates index holds, at most ten; None for one that is not used. Index 0 is.

    Raises
    ------
    ConfigError
        When index 0 is not used, there are more than ten, or a name is too long or not ASCII.

    Attributes
    ----------
    orders : OrderArray
        To be filled before a call.
    results : ResultArray
        To be read after one.
    """

    def __init__(
        self,
        settings: NDArray[np.float64],
        *,
        symbol: str,
        currency: str,
        broker: str,
        reference: str,
        clock: WallClock,
        plans: Sequence[RatesPlan | None],
    ) -> None:
        if not plans or plans[0] is None or len(plans) > RATES_ARRAYS:
            raise ConfigError(f"rates: the first is needed, and at most {RATES_ARRAYS}; there are {len(plans)}")
        if settings.shape != (SETTINGS,) or settings.dtype != np.float64:
            raise ValueError(f"settings: expected {SETTINGS} float64, was {settings.shape} {settings.dtype}")
        self.plans = (*plans, *(None,) * (RATES_ARRAYS - len(plans)))
        self.orders = OrderArray(int(settings[Setting.ORDERINFO_ARRAY_SIZE]))
        self.results = ResultArray(int(settings[Setting.MAX_OPEN_ORDERS]))
        self._clock = clock
        self._settings = settings.copy()
        self._names = {
            "symbol": _name("symbol", symbol),
            "currency": _name("account currency", currency),
            "broker": _name("broker_name", broker),
            "reference": _name("reference_name", reference),
        }
        self._currency = self._names["currency"].raw
        self._time = np.zeros(1, np.int32)
        self._counts = np.zeros(_ORDER_COUNTS, np.int32)
        self._account = np.zeros(ACCOUNT_FIELDS)
        self._prices = np.zeros(PRICE_FIELDS)
        self._infos = np.zeros(RATES_ARRAYS, RATES_INFO)
        self._rates = tuple(RatesArray() for _ in range(RATES_ARRAYS))
        self._no_orders = np.zeros(1)  # an address for an array without entries: NULL ends the process
        self._addresses = self._all_addresses()

    def set_bars(self, index: int, bars: Bars, count: int | None = None) -> bool:
        """Write the bars of a rates index.

        Parameters
        ----------
        index : int
            0 to 9; one that has a plan.
        bars : Bars
            Oldest first; the last is the unfinished one.
        count : int, optional
            How many of the last to pass, at most as many as there are; by default all.

        Returns
        -------
        bool
            Whether the library can go on from the bars it was passed (`bars_passed`): when not, its instance has to be
            initialised again, or its own copies keep holes.

        Raises
        ------
        ValueError
            When the index is not used, or a time does not fit.
        """
        plan, rates = self.plans[index], self._rates[index]
        if plan is None:
            raise ValueError(f"rates index {index} is not used")
        follows = rates.write(bars, len(bars) if count is None else count, self._clock)
        self._addresses[_RATES_FROM + index] = rates.address
        if not follows:
            self._infos[index] = plan.info(len(rates))
        return follows

    def bars_passed(self) -> None:
        """Note that the library read the bars that were written last: after a call that was good."""
        for rates in self._rates:
            rates.passed()

    def forget_bars(self) -> None:
        """Note that the library reads all bars in the next call, or that nobody knows what it read."""
        for rates in self._rates:
            rates.forget()

    def set_now(self, time_ns: int, prices: Prices, account: AccountInfo) -> None:
        """Write what changes with every call.

        Parameters
        ----------
        time_ns : int
            Now at the broker, UTC; live it is compared with the clock, so it must not be the last quote's.
        prices : Prices
            Bid and ask must be above 0.
        account : AccountInfo
            The account.
        """
        self._time[0] = self._clock.second(time_ns)
        self._prices[:] = prices
        self._account[:] = account

    def set_setting(self, setting: Setting, value: float) -> None:
        """Change a setting between two calls; not one of those that decide how long arrays are."""
        if setting in (Setting.ORDERINFO_ARRAY_SIZE, Setting.MAX_OPEN_ORDERS):
            raise ValueError(f"{setting.name} decides how long an array is: make another call")
        self._settings[setting] = value

    def arguments(self) -> tuple[int | None, ...]:
        """Return the 22 arguments, all addresses; the currency is written again, since the library writes to it."""
        self._names["currency"].raw = self._currency
        return tuple(self._addresses)

    def _all_addresses(self) -> list[int | None]:
        names = [ctypes.addressof(self._names[name]) for name in ("symbol", "currency", "broker", "reference")]
        return [
            _address(self._settings),
            *names,
            _address(self._time),
            _address(self._counts),
            self.orders.address or _address(self._no_orders),
            _address(self._account),
            _address(self._prices),
            _address(self._infos),
            *(rates.address for rates in self._rates),
            self.results.address,
        ]


def _address(array: NDArray[np.generic]) -> int:
    return int(array.ctypes.data)


def _name(what: str, text: str) -> ctypes.Array[ctypes.c_char]:
    content = text.encode("ascii", "replace")
    if not text.isascii() or not text.strip() or len(content) >= _NAME_BYTES:
        raise ConfigError(f"{what}: expected 1 to {_NAME_BYTES - 1} ASCII characters, was {text!r}")
    return ctypes.create_string_buffer(content, _NAME_BYTES)
