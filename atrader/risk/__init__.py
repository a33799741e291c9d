"""Risk: rules as pure functions over limits, account state and intent, the same in gateway, replay and backtest.

The gate is `evaluate`; what must be closed now says `forced_exits`; `RULES` is the table behind both, from which
tests and documentation are generated. `RiskDay` keeps the reference points (start of day, peak, start).
"""

from atrader.risk.day import InstanceRecord, RiskDay
from atrader.risk.exits import EXIT_RULES, Exit, ExitRule, forced_exits
from atrader.risk.gate import RULES, denials, evaluate, resolve_units
from atrader.risk.model import Allow, Breach, Deny, Proposal, Quote, RiskLimits, RiskState, Rule, Scope

__all__ = [
    "EXIT_RULES",
    "RULES",
    "Allow",
    "Breach",
    "Deny",
    "Exit",
    "ExitRule",
    "InstanceRecord",
    "Proposal",
    "Quote",
    "RiskDay",
    "RiskLimits",
    "RiskState",
    "Rule",
    "Scope",
    "denials",
    "evaluate",
    "forced_exits",
    "resolve_units",
]
