"""The instruments of the venue and their rules. Prices and rates are invented; the shapes are the venue's."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tests.oanda_simulator.values import Fields

_DAYS: Final = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")


@dataclass(frozen=True)
class Spec:
    """One instrument. ``name`` is ``BASE_QUOTE``; rates are fractions (per year where they are financing)."""

    name: str
    type: str
    display_name: str
    pip_location: int
    display_precision: int
    start_price: Decimal
    spread: Decimal
    units_precision: int = 0
    minimum_units: Decimal = Decimal(1)
    maximum_units: Decimal = Decimal(100_000_000)
    maximum_position: Decimal = Decimal(0)
    margin_rate: Decimal = Decimal("0.0333")
    long_rate: Decimal = Decimal("-0.0120")
    short_rate: Decimal = Decimal("-0.0150")
    days_charged: tuple[int, ...] = (1, 1, 3, 1, 1, 0, 0)  # Monday first
    guaranteed_mode: str = "DISABLED"
    guaranteed_distance: Decimal | None = None
    guaranteed_premium: Decimal | None = None

    @property
    def base(self) -> str:
        """What one unit is."""
        return self.name.rpartition("_")[0]

    @property
    def quote(self) -> str:
        """The currency of the price."""
        return self.name.rpartition("_")[2]

    @property
    def tick(self) -> Decimal:
        """The smallest step of a price."""
        return Decimal(1).scaleb(-self.display_precision)

    @property
    def pip(self) -> Decimal:
        """Ten to the pip location."""
        return Decimal(1).scaleb(self.pip_location)

    def price(self, value: Decimal) -> Decimal:
        """Return a price rounded to the instrument's precision."""
        return value.quantize(self.tick)

    def units(self, value: Decimal) -> Decimal:
        """Return units with the instrument's precision."""
        return value.quantize(Decimal(1).scaleb(-self.units_precision))

    @property
    def minimum_trailing(self) -> Decimal:
        """The least distance of a trailing stop: five pips."""
        return self.price(5 * self.pip)

    @property
    def maximum_trailing(self) -> Decimal:
        """The largest distance of a trailing stop: ten thousand pips."""
        return self.price(10_000 * self.pip)

    def fields(self) -> Fields:
        """Return the instrument as the venue tells it."""
        return {
            "name": self.name,
            "type": self.type,
            "displayName": self.display_name,
            "pipLocation": self.pip_location,
            "displayPrecision": self.display_precision,
            "tradeUnitsPrecision": self.units_precision,
            "minimumTradeSize": self.minimum_units,
            "maximumTrailingStopDistance": self.maximum_trailing,
            "minimumTrailingStopDistance": self.minimum_trailing,
            "maximumPositionSize": self.maximum_position,
            "maximumOrderUnits": self.maximum_units,
            "marginRate": self.margin_rate,
            "guaranteedStopLossOrderMode": self.guaranteed_mode,
            "minimumGuaranteedStopLossDistance": self.guaranteed_distance,
            "guaranteedStopLossOrderExecutionPremium": self.guaranteed_premium,
            "tags": [{"type": "ASSET_CLASS", "name": self.type}],
            "financing": {
                "longRate": self.long_rate,
                "shortRate": self.short_rate,
                "financingDaysOfWeek": [
                    {"dayOfWeek": day, "daysCharged": charged}
                    for day, charged in zip(_DAYS, self.days_charged, strict=True)
                ],
            },
        }


def _currency(name: str, price: str, spread: str, margin: str = "0.0333") -> Spec:
    yen = name.endswith("JPY")
    guaranteed = name == "EUR_USD"
    return Spec(
        name,
        "CURRENCY",
        name.replace("_", "/"),
        -2 if yen else -4,
        3 if yen else 5,
        Decimal(price),
        Decimal(spread),
        margin_rate=Decimal(margin),
        guaranteed_mode="ALLOWED" if guaranteed else "DISABLED",
        guaranteed_distance=Decimal("0.0010") if guaranteed else None,
        guaranteed_premium=Decimal("0.00006") if guaranteed else None,
    )


SPECS: Final = {
    spec.name: spec
    for spec in (
        _currency("EUR_USD", "1.08500", "0.00012"),
        _currency("GBP_USD", "1.27000", "0.00018", "0.05"),
        _currency("USD_JPY", "151.200", "0.014"),
        _currency("EUR_JPY", "164.050", "0.020"),
        _currency("EUR_GBP", "0.85430", "0.00014", "0.05"),
        _currency("USD_CHF", "0.88400", "0.00016"),
        _currency("AUD_USD", "0.65200", "0.00014"),
        _currency("USD_CAD", "1.39500", "0.00018"),
        _currency("NZD_USD", "0.58800", "0.00018"),
        _currency("EUR_CHF", "0.95900", "0.00020"),
        Spec("XAU_USD", "METAL", "Gold", -2, 3, Decimal("2650.000"), Decimal("0.400"), margin_rate=Decimal("0.05")),
        Spec(
            "BTC_USD",
            "CURRENCY",
            "BTC/USD",
            0,
            1,
            Decimal("60000.0"),
            Decimal("20.0"),
            units_precision=2,
            minimum_units=Decimal("0.01"),
            maximum_units=Decimal(100),
            margin_rate=Decimal("0.5"),
        ),
        Spec(
            "DE30_EUR",
            "CFD",
            "Germany 30",
            0,
            1,
            Decimal("19240.0"),
            Decimal("1.2"),
            units_precision=1,
            minimum_units=Decimal("0.5"),
            maximum_units=Decimal(1_000),
            margin_rate=Decimal("0.05"),
        ),
        Spec(
            "SPX500_USD",
            "CFD",
            "US SPX 500",
            0,
            1,
            Decimal("5890.0"),
            Decimal("0.6"),
            units_precision=1,
            minimum_units=Decimal("0.1"),
            maximum_units=Decimal(1_000),
            maximum_position=Decimal(2_000),
            margin_rate=Decimal("0.05"),
        ),
    )
}
