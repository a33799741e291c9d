"""Open trades of an old program that an account's gateway takes over: a file, written once and read at each start."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from atrader.errors import ConfigError
from atrader.orders.model import Trade, Value


class TakeOver(Value):
    """What ``data/take-over/ACCOUNT.json`` holds; trades may be removed from it by hand."""

    source: str  # where they come from, for people
    trades: tuple[Trade, ...]

    def text(self) -> str:
        """Return the file."""
        return self.model_dump_json(indent=2) + "\n"


def read_take_over(path: Path, account: str) -> tuple[Trade, ...]:
    """Read the trades of a file; none when there is no file.

    Raises
    ------
    ConfigError
        When it cannot be read, or a trade is closed, twice there, or of another account.
    """
    try:
        found = TakeOver.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        lines = [f"{path}: {'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        remedy = "correct it, remove the trade, or import again"
        raise ConfigError("\n".join([*lines, remedy])) from error
    ids = [trade.trade_id for trade in found.trades]
    for trade in found.trades:
        if not trade.is_open or trade.account != account or ids.count(trade.trade_id) > 1:
            raise ConfigError(
                f"{path}: trade {trade.trade_id}: expected open trades of {account}, each once: remove it"
            )
    return found.trades
