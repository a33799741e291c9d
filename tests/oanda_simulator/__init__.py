"""OANDA v20 on local sockets, with an invented market and every fault on command.

::

    async with OandaSimulator([AccountSettings(HEDGING_ACCOUNT, hedging=True)], limits=Limits.loose()) as sim:
        sim.rest_url, sim.stream_url, sim.token       # what a client needs
        sim.quote("EUR_USD", "1.1000", "1.1001")      # a price; pending orders act before it returns
        sim.faults.next("POST", "/orders", "accept-then-hang")
        sim.disturb("transactions", "reset")
        sim.account(HEDGING_ACCOUNT).trades           # the venue's truth

`hosting` runs it in a thread or a process, ``python -m tests.oanda_simulator`` (``make oanda-sim``) by hand.
``docs/oanda-simulator.md`` tells the rest.

From the inside out: ``values`` (what travels), ``model``, ``account``, ``transactions`` (what there is), ``market``,
``candles``, ``hours``, ``clock`` (prices and time), ``arithmetic``, ``checks``, ``ladder``, ``netting``, ``execution``,
``triggers``, ``placing``, ``closing``, ``protecting``, ``expiry``, ``financing``, ``closeout`` (what happens),
``views``, ``changes``, ``rest_*``, ``routing`` (what is told), ``http_server``, ``rest_server``, ``stream_server``,
``streams``, ``faults``, ``limits``, ``control`` (the network).
"""

from tests.oanda_simulator.account import AccountSettings
from tests.oanda_simulator.limits import Limits
from tests.oanda_simulator.market import Level
from tests.oanda_simulator.simulator import HEDGING_ACCOUNT, NETTING_ACCOUNT, OandaSimulator

__all__ = ["HEDGING_ACCOUNT", "NETTING_ACCOUNT", "AccountSettings", "Level", "Limits", "OandaSimulator"]
