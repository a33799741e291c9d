"""What type each field of OANDA v20 has, written from the protocol and not from the simulator.

Types: ``d`` decimal string, ``t`` time string, ``s`` string, ``i`` integer, ``b`` boolean, ``e(A~B)`` one of some
texts, ``[x]`` list of x, a capitalised name another object. A name that ends with ``!`` must be there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

_DECIMAL: Final = re.compile(r"-?\d+(\.\d+)?")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")
_LIST: Final = re.compile(r"\[(.+)\]")
_ENUM: Final = re.compile(r"e\((.+)\)")

_CLOSEOUT = (
    "marginCloseoutUnrealizedPL:d marginCloseoutNAV:d marginCloseoutMarginUsed:d marginCloseoutPercent:d"
    " marginCloseoutPositionValue:d withdrawalLimit:d marginCallMarginUsed:d marginCallPercent:d"
)
_TRADE = (
    "id!:s instrument!:s price!:d openTime!:t state!:e(OPEN~CLOSED~CLOSE_WHEN_TRADEABLE) initialUnits!:d"
    " initialMarginRequired:d currentUnits!:d realizedPL:d unrealizedPL:d marginUsed:d averageClosePrice:d"
    " closingTransactionIDs:[s] financing:d closeTime:t clientExtensions:Extensions dividendAdjustment:d"
)
_DETAILS = "timeInForce:e(GTC~GTD~GFD~FOK~IOC) gtdTime:t clientExtensions:Extensions guaranteed:b"
_ON_FILL = (
    "takeProfitOnFill:Details stopLossOnFill:Details trailingStopLossOnFill:Details guaranteedStopLossOnFill:Details"
)
_REQUEST = (
    f"instrument:s units:d price:d priceBound:d distance:d positionFill:e(DEFAULT~OPEN_ONLY~REDUCE_FIRST~REDUCE_ONLY)"
    f" triggerCondition:e(DEFAULT~INVERSE~BID~ASK~MID) tradeClientExtensions:Extensions partialFill:s tradeID:s"
    f" clientTradeID:s replacesOrderID:s {_DETAILS} {_ON_FILL} tradeClose:TradeClose"
    f" longPositionCloseout:Closeout shortPositionCloseout:Closeout marginCloseout:MarginCloseout"
    f" delayedTradeClose:DelayedClose"
)
_BASE = "id!:s time!:t userID!:i accountID!:s batchID!:s requestID:s type!:s"
_PART = (
    "tradeID!:s clientTradeID:s units!:d price!:d realizedPL!:d financing:d baseFinancing:d"
    " guaranteedExecutionFee:d quoteGuaranteedExecutionFee:d halfSpreadCost:d"
)
_SIDE = (
    "units!:d averagePrice:d tradeIDs:[s] pl:d unrealizedPL:d resettablePL:d financing:d guaranteedExecutionFees:d"
    " dividendAdjustment:d"
)

OBJECTS: Final[dict[str, str]] = {
    "Extensions": "id:s tag:s comment:s",
    "Details": f"price:d distance:d triggerCondition:s {_DETAILS}",
    "AccountSummary": (
        "id!:s alias:s currency!:s balance!:d createdByUserID!:i createdTime!:t"
        " guaranteedStopLossOrderMode:e(DISABLED~ALLOWED~REQUIRED) pl!:d resettablePL:d resettablePLTime:t financing:d"
        " commission:d guaranteedExecutionFees:d marginRate!:d marginCallEnterTime:t marginCallExtensionCount:i"
        " lastMarginCallExtensionTime:t openTradeCount!:i openPositionCount!:i pendingOrderCount!:i hedgingEnabled!:b"
        " lastOrderFillTimestamp:t unrealizedPL!:d NAV!:d marginUsed!:d marginAvailable!:d positionValue:d"
        f" lastTransactionID!:s dividendAdjustment:d {_CLOSEOUT}"
    ),
    "Instrument": (
        "name!:s type!:e(CURRENCY~CFD~METAL) displayName!:s pipLocation!:i displayPrecision!:i tradeUnitsPrecision!:i"
        " minimumTradeSize!:d maximumTrailingStopDistance!:d minimumTrailingStopDistance!:d maximumPositionSize!:d"
        " maximumOrderUnits!:d marginRate!:d guaranteedStopLossOrderMode:s minimumGuaranteedStopLossDistance:d"
        " guaranteedStopLossOrderExecutionPremium:d tags:[Tag] financing:Financing"
    ),
    "Tag": "type!:s name!:s",
    "Financing": "longRate!:d shortRate!:d financingDaysOfWeek!:[FinancingDay]",
    "FinancingDay": "dayOfWeek!:s daysCharged!:i",
    "Price": (
        "type!:e(PRICE) instrument!:s time:t timestamp:t status:s tradeable!:b bids!:[Level] asks!:[Level]"
        " closeoutBid!:d closeoutAsk!:d quoteHomeConversionFactors:Factors unitsAvailable:Available"
    ),
    "Level": "price!:d liquidity!:i",
    "Factors": "positiveUnits!:d negativeUnits!:d",
    "Available": "default!:Units openOnly!:Units reduceFirst!:Units reduceOnly!:Units",
    "Units": "long!:d short!:d",
    "HomeConversions": "currency!:s accountGain!:d accountLoss!:d positionValue!:d",
    "Position": (
        "instrument!:s pl!:d unrealizedPL:d marginUsed:d resettablePL:d financing:d commission:d"
        " guaranteedExecutionFees:d dividendAdjustment:d long!:Side short!:Side"
    ),
    "Side": _SIDE,
    "Trade": (
        f"{_TRADE} takeProfitOrder:Order stopLossOrder:Order trailingStopLossOrder:Order guaranteedStopLossOrder:Order"
    ),
    "TradeSummary": (
        f"{_TRADE} takeProfitOrderID:s stopLossOrderID:s trailingStopLossOrderID:s guaranteedStopLossOrderID:s"
    ),
    "Order": (
        f"id!:s createTime!:t state!:e(PENDING~FILLED~TRIGGERED~CANCELLED) type!:s {_REQUEST} fillingTransactionID:s"
        " filledTime:t tradeOpenedID:s tradeReducedID:s tradeClosedIDs:[s] cancellingTransactionID:s cancelledTime:t"
        " replacedByOrderID:s trailingStopValue:d reason:s"
    ),
    "TradeClose": "tradeID:s clientTradeID:s units!:s",
    "Closeout": "instrument!:s units!:s",
    "MarginCloseout": "reason!:s",
    "DelayedClose": "tradeID!:s clientTradeID:s sourceTransactionID!:s",
    "CREATED": f"{_BASE} {_REQUEST} reason!:s orderFillTransactionID:s cancellingTransactionID:s",
    "REJECTED": f"{_BASE} {_REQUEST} reason:s rejectReason!:s intendedReplacesOrderID:s",
    "ORDER_FILL": (
        f"{_BASE} orderID!:s clientOrderID:s instrument!:s units!:d requestedUnits:d price:d fullVWAP!:d"
        " fullPrice!:Price reason!:s pl!:d quotePL:d financing!:d baseFinancing:d commission!:d"
        " guaranteedExecutionFee!:d quoteGuaranteedExecutionFee:d accountBalance!:d gainQuoteHomeConversionFactor:d"
        " lossQuoteHomeConversionFactor:d homeConversionFactors:HomeFactors halfSpreadCost!:d tradeOpened:TradeOpened"
        " tradesClosed:[TradePart] tradeReduced:TradePart"
    ),
    "HomeFactors": "gainQuoteHome:Factor lossQuoteHome:Factor gainBaseHome:Factor lossBaseHome:Factor",
    "Factor": "factor!:d",
    "TradeOpened": (
        "tradeID!:s units!:d price!:d initialMarginRequired!:d guaranteedExecutionFee:d quoteGuaranteedExecutionFee:d"
        " halfSpreadCost:d clientExtensions:Extensions"
    ),
    "TradePart": _PART,
    "ORDER_CANCEL": f"{_BASE} orderID!:s clientOrderID:s reason!:s replacedByOrderID:s",
    "ORDER_CANCEL_REJECT": f"{_BASE} orderID:s clientOrderID:s rejectReason!:s",
    "EXTENSIONS": (
        f"{_BASE} orderID:s tradeID:s clientOrderID:s clientTradeID:s clientExtensionsModify:Extensions"
        " tradeClientExtensionsModify:Extensions rejectReason:s"
    ),
    "DAILY_FINANCING": (
        f"{_BASE} financing!:d accountBalance!:d accountFinancingMode!:e(NO_FINANCING~SECOND_BY_SECOND~DAILY)"
        " positionFinancings!:[PositionFinancing]"
    ),
    "PositionFinancing": "instrument!:s financing!:d openTradeFinancings!:[TradeFinancing]",
    "TradeFinancing": "tradeID!:s financing!:d",
    "DIVIDEND_ADJUSTMENT": (
        f"{_BASE} instrument!:s dividendAdjustment!:d quoteDividendAdjustment:d accountBalance!:d"
        " openTradeDividendAdjustments!:[TradeDividend]"
    ),
    "TradeDividend": "tradeID!:s dividendAdjustment!:d quoteDividendAdjustment:d",
    "TRANSFER_FUNDS": f"{_BASE} amount!:d fundingReason!:s comment:s accountBalance!:d",
    "CLIENT_CONFIGURE": f"{_BASE} alias:s marginRate:d",
    "CLIENT_CONFIGURE_REJECT": f"{_BASE} alias:s marginRate:d rejectReason!:s",
    "CREATE": f"{_BASE} divisionID!:i siteID!:i accountUserID!:i accountNumber!:i homeCurrency!:s",
    "MARGIN_CALL_ENTER": _BASE,
    "MARGIN_CALL_EXIT": _BASE,
    "DELAYED_TRADE_CLOSURE": f"{_BASE} reason!:s tradeIDs!:s",
    "Changes": (
        "ordersCreated!:[Order] ordersCancelled!:[Order] ordersFilled!:[Order] ordersTriggered!:[Order]"
        " tradesOpened!:[TradeSummary] tradesReduced!:[TradeSummary] tradesClosed!:[TradeSummary]"
        " positions!:[Position] transactions!:[Transaction]"
    ),
    "State": (
        f"unrealizedPL!:d NAV!:d marginUsed!:d marginAvailable!:d positionValue:d {_CLOSEOUT}"
        " orders!:[OrderState] trades!:[TradeState] positions!:[PositionState]"
    ),
    "OrderState": "id!:s trailingStopValue:d triggerDistance:d isTriggerDistanceExact:b",
    "TradeState": "id!:s unrealizedPL!:d marginUsed:d",
    "PositionState": "instrument!:s netUnrealizedPL!:d longUnrealizedPL:d shortUnrealizedPL:d marginUsed:d",
    "Candle": "time!:t bid:Ohlc ask:Ohlc mid:Ohlc volume!:i complete!:b",
    "Ohlc": "o!:d h!:d l!:d c!:d",
    "Listed": "id!:s mt4AccountID:i tags!:[s]",
    "HEARTBEAT": "type!:e(HEARTBEAT) time!:t lastTransactionID:s",
}
OBJECTS["Account"] = OBJECTS["AccountSummary"] + " trades!:[TradeSummary] positions!:[Position] orders!:[Order]"

_TRANSACTION: Final = "Transaction"
REPLIES: Final[dict[str, str]] = {
    "accounts": "[Listed]",
    "instruments": "[Instrument]",
    "prices": "[Price]",
    "homeConversions": "[HomeConversions]",
    "orders": "[Order]",
    "order": "Order",
    "trades": "[Trade]",
    "trade": "Trade",
    "positions": "[Position]",
    "position": "Position",
    "transactions": "[Transaction]",
    "transaction": "Transaction",
    "changes": "Changes",
    "state": "State",
    "candles": "[Candle]",
    "time": "t",
    "lastTransactionID": "s",
    "relatedTransactionIDs": "[s]",
    "errorCode": "s",
    "errorMessage": "s",
    "from": "t",
    "to": "t",
    "pageSize": "i",
    "count": "i",
    "pages": "[s]",
    "type": "[s]",
    "instrument": "s",
    "granularity": "s",
}


def kind_of(transaction: dict[str, Any]) -> str:
    """Return the object of the table that describes a transaction."""
    kind = str(transaction["type"])
    if "CLIENT_EXTENSIONS" in kind:
        return "EXTENSIONS"
    if kind in OBJECTS:
        return kind
    return "REJECTED" if kind.endswith("_ORDER_REJECT") else "CREATED"


def problems(value: Any, kind: str, where: str = "") -> Iterator[str]:
    """Yield how a value differs from what the protocol says it is."""
    if match := _LIST.fullmatch(kind):
        if not isinstance(value, list):
            yield f"{where}: no list but {value!r}"
            return
        for number, item in enumerate(value):
            yield from problems(item, match[1], f"{where}[{number}]")
    elif kind[0].isupper():
        yield from _object_problems(value, kind, where)
    elif not _fits(value, kind):
        yield f"{where}: {value!r} is not of type {kind}"


def _fits(value: Any, kind: str) -> bool:
    if match := _ENUM.fullmatch(kind):
        return value in match[1].split("~")
    if kind == "i":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "b":
        return isinstance(value, bool)
    patterns = {"d": _DECIMAL, "t": _TIME, "s": re.compile(r".*", re.DOTALL)}
    return isinstance(value, str) and bool(patterns[kind].fullmatch(value))


def _object_problems(value: Any, kind: str, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: no object but {value!r}"
        return
    named = kind_of(value) if kind == _TRANSACTION else kind
    fields = dict(field.split(":", 1) for field in OBJECTS[named].split())
    known = {name.rstrip("!"): of for name, of in fields.items()}
    yield from (f"{where}: no {name[:-1]}" for name in fields if name.endswith("!") and name[:-1] not in value)
    for name, item in value.items():
        if name not in known:
            yield f"{where}.{name}: no such field in {named}"
        else:
            yield from problems(item, known[name], f"{where}.{name}")


def reply_problems(body: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the body of an answer."""
    for name, value in body.items():
        if name == "account":
            yield from problems(value, "Account" if "trades" in value else "AccountSummary", name)
        elif name.endswith("Transaction"):
            yield from problems(value, _TRANSACTION, name)
        elif name == "latestCandles":
            for each in value:
                yield from reply_problems(each)
        elif name in REPLIES:
            yield from problems(value, REPLIES[name], name)
        else:
            yield f"{name}: no such field in a reply"
