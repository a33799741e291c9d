"""``halt reduce resume flatten``: what may be traded, for the fleet, an account or an instance."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from atrader.configuration.home import Home
from atrader.configuration.loader import load_installation
from atrader.errors import ConfigError, DeadlineExceeded
from atrader.messages.manager import ControlAnswer, GetStatus, SetTradingState, StatusAnswer
from atrader.selection.file import Selections
from atrader.trading_state import TradingState
from atrader.trading_state_file import TradingStates
from manager.commands.completing import scopes
from manager.commands.installed import NotRunning, ask_manager, home_of
from manager.commands.output import json_option, print_json

_ANSWER_S = 5.0  # a manager that works answers sooner; the switch must not wait for one that does not

_MEANING = {
    "halt": (TradingState.HALTED, "Nothing but cancels: no opens, no exits by strategies. Stops at the broker stay."),
    "reduce": (TradingState.REDUCING, "Exits only: strategies may close, nothing opens."),
    "resume": (TradingState.ACTIVE, "Trade again."),
    "flatten": (TradingState.FLATTENING, "Close every trade and cancel every order now; nothing opens until 'resume'."),
}


def resolve_scope(directory: Path, scope: str) -> str:
    """Turn what a person typed into ``fleet``, ``account:NAME`` or ``instance:NAME``.

    Raises
    ------
    ConfigError
        When there is no such account or instance.
    """
    if scope == "fleet":
        return scope
    home = home_of(directory)
    installation, states = load_installation(home.root), TradingStates.load(home.trading_states)
    # What has a state may lose it again, and what left trades behind may be closed, configured or not.
    instances = dict.fromkeys([*installation.instances, *states.instances])
    kind, _, name = scope.rpartition(":")
    if kind in ("", "instance") and name in instances:
        return f"instance:{name}"
    if kind in ("", "account") and name in {*installation.accounts, *states.accounts}:
        return f"account:{name}"
    instances |= dict.fromkeys(orphans := _orphans(home))
    if kind in ("", "instance") and name in orphans:
        return f"instance:{name}"
    known = ", ".join(["fleet", *installation.accounts, *instances])
    raise ConfigError(f"no account or instance {scope!r}; there are: {known}")


def _orphans(home: Home) -> list[str]:
    """Name the instances without a strategy file that have trades or orders, as a running manager knows them."""
    try:
        answer = ask_manager(home, GetStatus(), timeout_s=_ANSWER_S)
    except DeadlineExceeded:
        return []
    assert isinstance(answer, StatusAnswer)
    accounts: Any = answer.status["accounts"]
    return [str(orphan["instance"]) for account in accounts for orphan in account.get("orphans", ())]


def _set(directory: Path, scope: str, state: TradingState, reason: str, as_json: bool) -> None:
    home = home_of(directory)
    try:
        answer = ask_manager(home, SetTradingState(scope=scope, state=state, reason=reason), timeout_s=_ANSWER_S)
        assert isinstance(answer, ControlAnswer)
        lines = list(answer.lines)
    except NotRunning:
        # The fleet dies with its manager, so nobody trades now: the file makes the next start obey.
        _write(home, scope, state)
        lines = [f"no manager is running; {scope} will be {state.value} from the next start on"]
    except DeadlineExceeded as error:
        # Gateways read the file before each decision, whatever the manager does.
        _write(home, scope, state)
        lines = [error.message, f"{scope} is {state.value} all the same: it is written where the gateways look"]
    if state is TradingState.ACTIVE:
        rest = TradingStates.load(home.trading_states).restricted()  # whoever resumes should know what still does not
        lines += [f"{other} stays {its.value} until it is resumed by its name" for other, its in rest.items()]
        selected = Selections.load(home.selection).instances
        lines += [
            f"instance:{name} stays {one.state.value} by selection: {one.reason}"
            for name, one in selected.items()
            if one.state is not TradingState.ACTIVE
        ]
    if as_json:
        print_json({"scope": scope, "state": state.value, "lines": lines})
        return
    for line in lines:
        click.echo(line)


def _write(home: Home, scope: str, state: TradingState) -> None:
    TradingStates.load(home.trading_states).with_state(scope, state).save(home.trading_states)


def _command(verb: str) -> click.Command:
    state, meaning = _MEANING[verb]

    @click.command(verb, help=f"{meaning}\n\nSCOPE: fleet (default), or the name of an account or instance.")
    @click.argument("scope", default="fleet", shell_complete=scopes)
    @click.option("--reason", default="", help="Recorded in the history.")
    @json_option
    @click.pass_obj
    def command(directory: Path, scope: str, reason: str, as_json: bool) -> None:
        _set(directory, resolve_scope(directory, scope), state, reason, as_json)

    return command


@click.command(help=f"{_MEANING['flatten'][1]}\n\nSCOPE: fleet (default), or the name of an account or instance.")
@click.argument("scope", default="fleet", shell_complete=scopes)
@click.option("--reason", default="", help="Recorded in the history.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def flatten(directory: Path, scope: str, reason: str, yes: bool, as_json: bool) -> None:
    """Close everything; asks first."""
    scope = resolve_scope(directory, scope)
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("flatten closes trades at the market: confirm with --yes")
        click.confirm(f"Close every trade of {scope} at the market now?", abort=True)
    _set(directory, scope, TradingState.FLATTENING, reason, as_json)


halt, reduce, resume = map(_command, ("halt", "reduce", "resume"))
