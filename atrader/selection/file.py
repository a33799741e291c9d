"""The file in which the manager keeps what it selected; gateways read it beside the trading states that people set.

Only the manager writes it, so nothing of what people set can be lost by it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from atrader.runtime.whole_file import write_whole
from atrader.selection.model import Selected
from atrader.trading_state import TradingState

_VERSION: Final = 1
_STATES: Final = frozenset({TradingState.ACTIVE, TradingState.REDUCING})


@dataclass(frozen=True, slots=True)
class Selections:
    """What was selected, by instance. An instance that is not named was not judged.

    Attributes
    ----------
    damage : str
        Why the file could not be read; then all instances are REDUCING until the manager wrote it again.
    """

    instances: Mapping[str, Selected] = field(default_factory=dict)
    damage: str = ""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file; a missing one selects nothing, a damaged one lets nobody open. Never fails."""
        try:
            return cls(_parsed(json.loads(path.read_text(encoding="utf-8"))))
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            return cls(damage=f"{path}: {error!r}; every instance is REDUCING until the manager wrote it again")

    def save(self, path: Path) -> None:
        """Write the file, whole; on disk before this returns. May be repeated.

        Raises
        ------
        OSError
            When it cannot be written; the old file is unharmed.
        """
        instances = {name: one._asdict() for name, one in self.instances.items()}
        write_whole(path, json.dumps({"version": _VERSION, "instances": instances}, indent=1))

    def state_of(self, instance: str, *, selects: bool) -> TradingState:
        """Return what was selected for an instance.

        Parameters
        ----------
        selects : bool
            Whether it is configured to be selected: while the file does not name it, its market was not judged.
        """
        one = self.instances.get(instance)
        if self.damage or (one is None and selects):
            return TradingState.REDUCING
        return TradingState.ACTIVE if one is None else one.state


def _parsed(content: object) -> dict[str, Selected]:
    if not isinstance(content, dict) or content.get("version") != _VERSION:
        raise ValueError(f"expected a map of version {_VERSION}, was {content!r:.80}")
    return {str(name): _selected(values) for name, values in content["instances"].items()}


def _selected(values: Mapping[str, object]) -> Selected:
    known = Selected(**values)  # type: ignore[arg-type]  # checked below, whatever the file holds
    numbers, texts = known[1:6], known[6:]
    if not all(type(number) is int for number in numbers) or not all(type(text) is str for text in texts):
        raise ValueError(f"expected numbers and texts, was {values!r:.80}")
    state = TradingState(known.state)
    if state not in _STATES:
        raise ValueError(f"expected {' or '.join(sorted(_STATES))}, was {state}")
    return known._replace(state=state)
