"""OANDA v20 on local sockets, faithful enough to lose money on. See `OandaSimulator` and `docs/oanda-simulator.md`."""

from tests.oanda_simulator.account import AccountSettings
from tests.oanda_simulator.limits import Limits
from tests.oanda_simulator.market import Level
from tests.oanda_simulator.simulator import HEDGING_ACCOUNT, NETTING_ACCOUNT, OandaSimulator

__all__ = ["HEDGING_ACCOUNT", "NETTING_ACCOUNT", "AccountSettings", "Level", "Limits", "OandaSimulator"]
