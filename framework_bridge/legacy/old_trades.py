"""Old virtual trades as trades of ours, marked as imported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, NamedTuple

from atrader.clock import NS_PER_S
from atrader.orders.model import SIGN, Trade
from framework_bridge.legacy.findings import Finding, Kind
from framework_bridge.legacy.virtual_trades import OldTrade

IMPORTED: Final = "imported"
"""Close reason of the trades of an old history."""

PREFIX: Final = "old-"
"""Of the ids of imported trades, and of the names of instances that the old configuration no longer had."""

_CENT: Final = Decimal("0.01")
_NEAR: Final = Decimal("0.02")  # of a profit: the old trader rounded


class Owner(NamedTuple):
    """Whose trades carry an old instance id: name and magic number of the new instance."""

    name: str
    magic: int


class Converted(NamedTuple):
    """Trades of one account, and what was assumed.

    Attributes
    ----------
    trades : tuple of Trade
        Oldest first.
    pending : tuple of OldTrade
        Orders that waited: the old trader watched them itself, nobody holds them.
    profit_from : str
        Where the profits come from.
    findings : tuple of Finding
        Stops and targets of open trades that are left out.
    """

    trades: tuple[Trade, ...]
    pending: tuple[OldTrade, ...]
    profit_from: str
    findings: tuple[Finding, ...]


def convert_trades(old: Sequence[OldTrade], account: str, currency: str, owners: Mapping[int, Owner]) -> Converted:
    """Make trades of the virtual trades of one account.

    Parameters
    ----------
    old : sequence of OldTrade
        All of them open, or all closed.
    account, currency : str
        Of the new account.
    owners : Mapping of int to Owner
        By old instance id; who is not there any more is called ``old-ID`` and keeps its number.

    Returns
    -------
    Converted
        The id of a trade is ``old-TICKET-OPENED``, a number behind it where that repeats; always the same.
    """
    findings: list[Finding] = []
    positions = sorted((_mended(one, findings) for one in old if one.side is not None), key=_order)
    field, seen = _money_field(positions, currency), Counter[str]()
    trades = [_trade(one, account, owners, _profit(one, field, currency), seen) for one in positions]
    return Converted(
        tuple(trades),
        tuple(one for one in old if one.side is None),
        field or f"the prices, and 0 without {currency}",
        tuple(findings),
    )


def _mended(trade: OldTrade, findings: list[Finding]) -> OldTrade:
    """Leave out stops and targets that only a mistake of the old trader can have set: they would close at once.

    It took prices for distances, and -1 ("keep") for a distance of one unit. A stop that stands in profit stays.
    """
    if trade.close_price is not None or trade.side is None:
        return trade  # what closed long ago is history, as it was
    for field, level in (("stop_loss", trade.stop_loss), ("take_profit", trade.take_profit)):
        if level is None:
            continue
        away = (level - trade.open_price) * SIGN[trade.side]
        is_wrong_side = field == "take_profit" and away <= 0
        if not is_wrong_side and 2 * abs(away) <= trade.open_price:
            continue
        why = "on the side of the loss" if is_wrong_side else "more than half the price away"
        text = f"{trade}: its {field} {level} is {why}, a mistake of the old trader: left out, so that it has none"
        remedy = "let its strategy set one, or write one into data/take-over before the first start"
        findings.append(Finding(Kind.PROBLEM, trade.where, 0, "", text, remedy))
        trade = trade._replace(stop_loss=None) if field == "stop_loss" else trade._replace(take_profit=None)
    return trade


def _order(trade: OldTrade) -> tuple[int, int, int, str]:
    return trade.open_ns, trade.close_ns, trade.ticket, str(trade.close_price)


def _trade(old: OldTrade, account: str, owners: Mapping[int, Owner], profit: Decimal, seen: Counter[str]) -> Trade:
    assert old.side is not None
    owner = owners.get(old.instance_id) or Owner(f"{PREFIX}{old.instance_id}", max(0, old.instance_id))
    trade_id = f"{PREFIX}{old.ticket}-{old.open_ns // NS_PER_S}"
    seen[trade_id] += 1
    if seen[trade_id] > 1:
        trade_id = f"{trade_id}-{seen[trade_id]}"
    closed = old.close_price is not None
    return Trade(
        trade_id=trade_id,
        account=account,
        magic=owner.magic,
        instance=owner.name,
        instrument=old.symbol,
        side=old.side,
        units_opened=old.units,
        units=Decimal(0) if closed else old.units,
        open_time_ns=old.open_ns,
        open_price=old.open_price,
        stop_loss=old.stop_loss,
        take_profit=old.take_profit,
        close_time_ns=old.close_ns if closed else None,
        close_price=old.close_price,
        units_closed=old.units if closed else Decimal(0),
        profit=profit,
        close_reason=IMPORTED if closed else "",
    )


def _money_field(trades: Sequence[OldTrade], currency: str) -> str | None:
    """Find out which of the old fields is money: the one that agrees with the prices where these tell the profit.

    None when neither does; where no price tells it, ``ProfitPL``.
    """
    known = [one for one in trades if one.close_price is not None and one.symbol.endswith(f"/{currency}") and one.moved]
    for field in ("ProfitPL", "Profit"):
        if 2 * sum(_agrees(one.profits.get(field), one.moved) for one in known) > len(known):
            return field
    return None if known else "ProfitPL"


def _agrees(told: Decimal | None, moved: Decimal) -> bool:
    return told is not None and abs(told - moved) <= max(_CENT, abs(moved) * _NEAR)


def _profit(trade: OldTrade, field: str | None, currency: str) -> Decimal:
    if trade.close_price is None:
        return Decimal(0)
    told = None if field is None else trade.profits.get(field)
    if told is None:
        told = trade.moved if trade.symbol.endswith(f"/{currency}") else Decimal(0)
    return told.quantize(_CENT, ROUND_HALF_EVEN)
