"""Steps of the history's schema, each from the version before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Dialect, Table

from data_layer.store.tables import Step, create

_TEXTS: Final = (
    *("action", "side", "order_type", "units", "risk_frac", "price", "stop_loss", "take_profit", "trailing_distance"),
    *("trade_id", "order_id", "decision", "reason"),
)
_NUMBERS: Final = ("expires_ns", "time_ns")


def step_2(new_tables: Iterable[Table]) -> Step:
    """Intents get a table of their own, trades their initial risk, signals the bar of their decision."""

    def statements(dialect: Dialect) -> list[str]:
        def value(key: str, kind: str = "VARCHAR") -> str:
            if dialect.name == "sqlite":
                return f"json_extract(intent, '$.{key}')"
            return f"CAST(intent ->> '{key}' AS {kind})"

        decision = value("decision")
        place = f"instr({decision}, ':')" if dialect.name == "sqlite" else f"position(':' in {decision})"
        bar = f"CASE WHEN {place} > 0 THEN substr({decision}, 1, {place} - 1) ELSE {decision} END"
        names = _TEXTS + _NUMBERS
        found = [*map(value, _TEXTS), *(value(key, "BIGINT") for key in _NUMBERS)]
        return [
            *create(new_tables, dialect),
            f"INSERT INTO intents (account, client_id, magic, instance, instrument, intent_id, bar, {', '.join(names)})"
            f" SELECT account, client_id, magic, instance, instrument, intent_id, {bar}, {', '.join(found)}"
            " FROM orders",
            "ALTER TABLE orders DROP COLUMN intent",
            "ALTER TABLE order_events DROP COLUMN intent",
            "ALTER TABLE trades ADD COLUMN initial_stop VARCHAR",
            "ALTER TABLE trades ADD COLUMN initial_risk VARCHAR",
            "ALTER TABLE signals ADD COLUMN bar VARCHAR",
        ]

    return statements
