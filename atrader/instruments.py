"""Instruments: what is traded, with the precision and limits that orders must respect."""

import re
from collections.abc import Collection, Mapping
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from functools import cache
from typing import Final, Literal

from pydantic import ConfigDict, Field, field_validator

from atrader.calendar_rules import rules_of
from atrader.errors import ConfigError
from atrader.fast_models import PlainlyRead

_ONE = Decimal(1)

_SYMBOL: Final = re.compile(r"[A-Z0-9]{2,12}/[A-Z0-9]{2,12}(:[A-Z0-9]{2,12})?")

InstrumentKind = Literal["fx", "metal", "cfd", "spot", "linear", "inverse"]


class Instrument(PlainlyRead):
    """One tradable instrument, as the account's venue defines it.

    Prices are quoted in ``quote`` per one unit of ``base``; units count ``base``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: str
    kind: InstrumentKind = "fx"  # what it is
    price_tick: Decimal = Field(gt=0)  # smallest price step
    pip: Decimal = Field(gt=0)  # what people call a pip; spreads and distances in reports use it
    unit_step: Decimal = Field(gt=0)  # smallest step of units
    min_units: Decimal = Field(gt=0)  # of one order
    max_units: Decimal = Field(gt=0)  # of one order
    margin_rate_frac: Decimal = Field(gt=0, le=1)  # margin needed per value held; 0.02 = 50:1
    calendar: str = "fx"  # "fx", "24/7", or a broker's clock such as "Europe/Helsinki@00:00 fx"

    @field_validator("symbol")
    @classmethod
    def _is_base_over_quote(cls, value: str) -> str:
        if _SYMBOL.fullmatch(value) is None:
            raise ValueError(f"expected BASE/QUOTE in capitals, such as EUR/USD or NQ/USD, was {value!r}")
        return value

    @field_validator("calendar")
    @classmethod
    def _known_calendar(cls, value: str) -> str:
        return rules_of(value).name

    @property
    def base(self) -> str:
        """Currency that units count."""
        return _currencies(self.symbol)[0]

    @property
    def quote(self) -> str:
        """Currency that prices are in."""
        return _currencies(self.symbol)[1]

    def round_price(self, price: Decimal) -> Decimal:
        """Round a price to the nearest multiple of `price_tick` (half to even)."""
        tick = self.price_tick
        if type(price) is Decimal and price.same_quantum(tick) and not price % tick:
            return price  # as it is asked for at each stage of an order
        return (price / tick).quantize(_ONE, ROUND_HALF_EVEN) * tick

    def round_units(self, units: Decimal) -> Decimal:
        """Round units down to a multiple of `unit_step`, never up: rounding must not add risk."""
        step = self.unit_step
        if type(units) is Decimal and units.same_quantum(step) and not units % step:
            return units
        return (units / step).quantize(_ONE, ROUND_DOWN) * step


@cache
def _currencies(symbol: str) -> tuple[str, str]:
    """Return base and quote currency of a symbol; asked for with each valuation."""
    base, _, rest = symbol.partition("/")
    return base, rest.partition(":")[0]


def _fx(symbol: str, margin: str = "0.0333") -> Instrument:
    yen = symbol.endswith(("/JPY", "/HUF"))
    return Instrument(
        symbol=symbol,
        kind="fx",
        price_tick=Decimal("0.001") if yen else Decimal("0.00001"),
        pip=Decimal("0.01") if yen else Decimal("0.0001"),
        unit_step=Decimal(1),
        min_units=Decimal(1),
        max_units=Decimal(100_000_000),
        margin_rate_frac=Decimal(margin),
    )


def _metal(symbol: str, tick: str) -> Instrument:
    return Instrument(
        symbol=symbol,
        kind="metal",
        price_tick=Decimal(tick),
        pip=Decimal(tick) * 10,
        unit_step=Decimal(1),
        min_units=Decimal(1),
        max_units=Decimal(100_000),
        margin_rate_frac=Decimal("0.05"),
    )


def _crypto(symbol: str, tick: str, step: str) -> Instrument:
    return Instrument(
        symbol=symbol,
        kind="linear" if ":" in symbol else "spot",
        price_tick=Decimal(tick),
        pip=Decimal(tick),
        unit_step=Decimal(step),
        min_units=Decimal(step),
        max_units=Decimal(1_000_000),
        margin_rate_frac=Decimal("0.1"),
        calendar="24/7",
    )


_FX = (
    "EUR/USD GBP/USD AUD/USD NZD/USD USD/JPY USD/CHF USD/CAD EUR/GBP EUR/JPY EUR/CHF EUR/AUD EUR/CAD EUR/NZD GBP/JPY "
    "GBP/CHF GBP/AUD GBP/CAD GBP/NZD AUD/JPY AUD/NZD AUD/CAD AUD/CHF NZD/JPY NZD/CAD NZD/CHF CAD/JPY CAD/CHF CHF/JPY"
)
_OTHERS = (
    _metal("XAU/USD", "0.01"),
    _metal("XAG/USD", "0.001"),
    _crypto("BTC/USD", "0.1", "0.0001"),
    _crypto("ETH/USD", "0.01", "0.001"),
    _crypto("BTC/USDT", "0.1", "0.0001"),
    _crypto("ETH/USDT", "0.01", "0.001"),
    _crypto("BTC/USDT:USDT", "0.1", "0.0001"),
    _crypto("ETH/USDT:USDT", "0.01", "0.001"),
)

KNOWN: Mapping[str, Instrument] = {item.symbol: item for item in (*map(_fx, _FX.split()), *_OTHERS)}
"""Instruments with usual retail terms, for the paper account and the synthetic market; brokers bring their own."""


def known_instrument(symbol: str, defined: Mapping[str, Instrument] | None = None) -> Instrument:
    """Find an instrument among the configured and the built-in ones.

    Parameters
    ----------
    symbol : str
        Canonical symbol, such as ``EUR/USD``.
    defined : Mapping of str to Instrument, optional
        Instruments of the configuration; they win over the built-in ones.

    Raises
    ------
    ConfigError
        When nobody defines the symbol.
    """
    found = (defined or {}).get(symbol) or KNOWN.get(symbol)
    if found is None:
        near = _near(symbol, {**KNOWN, **(defined or {})})
        hint = f"did you mean {near!r}?" if near else f'define it under [instruments."{symbol}"] in etc/atrader.toml'
        raise ConfigError(
            f"unknown instrument {symbol!r}: {hint}",
            details={"instrument": symbol},
        )
    return found


def _near(symbol: str, known: Collection[str]) -> str | None:
    """Return the known symbol that has the same letters and digits, as venues and people write them."""
    letters = _letters(symbol)
    return next((one for one in known if letters and letters in (_letters(one), _letters(one.partition(":")[0]))), None)


def _letters(symbol: str) -> str:
    return "".join(character for character in symbol.upper() if character.isalnum())
