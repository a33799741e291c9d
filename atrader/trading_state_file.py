"""The file that says what may be traded: the kill switch that survives every restart.

Written by the manager (or by a command while no manager runs), read by every gateway before it decides.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Self

from atrader.errors import StoreError
from atrader.runtime.whole_file import overwrite, write_whole
from atrader.trading_state import TradingState, strictest

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_SCOPES: Final = ("fleet", "accounts", "instances", "stopping")


@dataclass(frozen=True, slots=True)
class TradingStates:
    """Trading states by scope. A scope that is not named is ACTIVE.

    Attributes
    ----------
    fleet : TradingState
        Of everything.
    accounts, instances : mapping of name to TradingState
        Of one account or strategy instance.
    stopping : bool
        The fleet is being stopped: nothing opens any more. Unlike the states this ends with the next start.
    damage : str
        Why the file could not be read; then everything is HALTED.
    """

    fleet: TradingState = TradingState.ACTIVE
    accounts: Mapping[str, TradingState] = field(default_factory=dict)
    instances: Mapping[str, TradingState] = field(default_factory=dict)
    stopping: bool = False
    damage: str = ""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file; a missing one means ACTIVE, a damaged one HALTED for everybody. Never fails."""
        try:
            return cls._parse(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, TypeError, RecursionError) as error:
            return cls(fleet=TradingState.HALTED, damage=f"{path}: {error}; everything is HALTED until it is set again")

    @classmethod
    def _parse(cls, content: object) -> Self:
        if not isinstance(content, dict) or set(content) - set(_SCOPES):
            raise ValueError(f"expected a map with {', '.join(_SCOPES)}, was {content!r:.80}")
        stopping = content.get("stopping", False)
        if not isinstance(stopping, bool):
            raise TypeError(f"stopping: expected true or false, was {stopping!r:.40}")
        return cls(
            fleet=TradingState(content.get("fleet", TradingState.ACTIVE)),
            accounts={str(name): TradingState(state) for name, state in dict(content.get("accounts", {})).items()},
            instances={str(name): TradingState(state) for name, state in dict(content.get("instances", {})).items()},
            stopping=stopping,
        )

    def save(self, path: Path) -> None:
        """Write the file so that a reader sees the old or the new content, whole; on disk before this returns.

        May be repeated. On a disk that is full the file is written over where it lies: a person who wants everything
        closed must not be refused for that. Until all of it is on disk, a reader takes it for HALTED, then looks again.

        Raises
        ------
        StoreError
            When it cannot be written: the states are as they were, or, when a disk fails half-way, all is HALTED.
        """
        content = {
            "fleet": self.fleet.value,
            "accounts": {name: state.value for name, state in self.accounts.items()},
            "instances": {name: state.value for name, state in self.instances.items()},
            "stopping": self.stopping,
        }
        text = json.dumps(content, indent=1)
        try:
            try:
                write_whole(path, text)
            except OSError as error:
                if error.errno not in _FULL or not path.exists():
                    raise
                overwrite(path, text)
        except OSError as error:
            rest = "everything is HALTED" if self.load(path).damage else "the trading states are as they were"
            raise StoreError(f"{path} cannot be written: {error}; {rest}") from error

    def effective(self, account: str, instance: str | None = None) -> TradingState:
        """Return what holds for an account or one of its instances: the strictest of all scopes."""
        states = [self.fleet, self.accounts.get(account, TradingState.ACTIVE)]
        if instance is not None:
            states.append(self.instances.get(instance, TradingState.ACTIVE))
        if self.stopping:
            states.append(TradingState.REDUCING)
        return strictest(states)

    def flattens(self, account: str, instance: str | None = None) -> bool:
        """Tell whether a person wants everything of an account or of one of its instances closed.

        True when fleet, account or (when one is named) instance is FLATTENING. HALTED on another of them does not undo
        it: it keeps strategies from closing, not people.
        """
        named = TradingState.ACTIVE if instance is None else self.instances.get(instance, TradingState.ACTIVE)
        scopes = (self.fleet, self.accounts.get(account, TradingState.ACTIVE), named)
        return TradingState.FLATTENING in scopes

    def restricted(self) -> dict[str, TradingState]:
        """Return every scope that is not ACTIVE by itself, as `with_state` names it."""
        scopes = {"fleet": self.fleet}
        scopes |= {f"account:{name}": state for name, state in self.accounts.items()}
        scopes |= {f"instance:{name}": state for name, state in self.instances.items()}
        return {scope: state for scope, state in scopes.items() if state is not TradingState.ACTIVE}

    def with_state(self, scope: str, state: TradingState) -> Self:
        """Return these states with one changed; a damaged file counts as HALTED until the fleet's state is set.

        Parameters
        ----------
        scope : str
            ``fleet``, ``account:NAME`` or ``instance:NAME``.
        state : TradingState
            The new one; ACTIVE removes the entry.

        Raises
        ------
        ValueError
            When the scope is none of these.
        """
        if scope == "fleet":
            return replace(self, fleet=state, damage="")
        kind, _, name = scope.partition(":")
        if kind not in ("account", "instance") or not name:
            raise ValueError(f"scope {scope!r}: expected fleet, account:NAME or instance:NAME")
        old = self.accounts if kind == "account" else self.instances
        new = {key: value for key, value in old.items() if key != name}
        if state is not TradingState.ACTIVE:
            new[name] = state
        return replace(self, accounts=new) if kind == "account" else replace(self, instances=new)
