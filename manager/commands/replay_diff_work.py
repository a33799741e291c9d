"""What ``atrader replay-diff`` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from atrader.clock import NS_PER_MS, iso_from_ns
from atrader.configuration.home import Home
from manager.commands.output import print_json
from manager.commands.progress import counting
from manager.rerun.diff import Answer, replay_diff
from research.rerun import Difference

_KINDS: Final[Mapping[str, str]] = {
    "signal": "what the strategy told of itself",
    "decision": "what the strategy wanted",
    "refused": "the order was refused on one side",
    "size": "how much was filled",
    "price": "at which price it was filled",
    "exit": "how the trade ended",
}


def show_replay_diff(
    home: Home, instance: str, day: tuple[int, int], quotes: str | None, *, as_configured: bool, as_json: bool
) -> bool:
    """Run a day again and show what came of it; return whether it is the same.

    Raises
    ------
    AtraderError
        When it cannot be run again.
    """
    with counting(instance, silent=as_json) as progress:
        answer = replay_diff(
            home, instance, day[0], end_ns=day[1], quotes=quotes, as_configured=as_configured, progress=progress
        )
    if as_json:
        print_json(_as_json(instance, answer))
    else:
        _show(instance, day[0], answer)
    return answer.comparison.difference is None


def _as_json(instance: str, answer: Answer) -> dict[str, Any]:
    found = answer.comparison
    return {
        "instance": instance,
        "same": found.difference is None,
        "begin": _time(answer.begin_ns),
        "end": iso_from_ns(answer.end_ns),
        "restarts": answer.restarts,
        "not_kept_since": None if answer.gone_ns is None else iso_from_ns(answer.gone_ns),
        "not_decided": [iso_from_ns(one) for one in answer.away],
        "compared": {"signals": found.signals, "intents": found.intents, "trades": found.trades},
        "better_prices": [str(one) for one in found.prices],
        "answers": [_difference(one) for one in found.answers],
        "difference": None if found.difference is None else _difference(found.difference),
        "causes": [
            {"kind": one.kind, "text": one.text, "bar": None if one.bar_ns is None else iso_from_ns(one.bar_ns)}
            for one in answer.causes
        ],
        "changed_bars": [
            {"kind": one.kind, "bar": iso_from_ns(one.open_time_ns), "text": one.text} for one in answer.bars
        ],
    }


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "kind": one.kind, "time": iso_from_ns(one.time_ns), "bar": _bar(one.bar), "live": one.live, "again": one.again,
    }  # fmt: skip


def _bar(key: str | None) -> str | None:
    return None if key is None else iso_from_ns(int(key.rpartition("|")[2]))


def _time(time_ns: int) -> str | None:
    return iso_from_ns(time_ns) if time_ns else None


def _show(instance: str, day_ns: int, answer: Answer) -> None:
    found = answer.comparison
    since = _time(answer.begin_ns) or "the begin of the replay"
    click.secho(f"{instance}: {since} to {_moment(answer.end_ns)}", bold=True)
    if answer.begin_ns < day_ns:
        click.echo("  begins before the day, where its worker had started: what it knew and held comes from there")
    counts = (_count(found.signals, "signal"), _count(found.intents, "intent"), _count(found.trades, "trade"))
    again = f"; its worker started again {_count(answer.restarts, 'time')}" if answer.restarts else ""
    click.echo(f"  compared: {', '.join(counts)}{again}")
    if answer.gone_ns is not None:
        click.secho(
            f"  what came before is not compared: its worker ran since {iso_from_ns(answer.gone_ns)}, and what it began"
            " with is not kept for so long",
            fg="yellow",
        )
    if answer.away:
        first, last = iso_from_ns(answer.away[0]), iso_from_ns(answer.away[-1])
        click.secho(
            f"  {len(answer.away)} bars were decided by nobody, {first} to {last}: the worker was away", fg="yellow"
        )
    if found.prices:
        mean = sum(found.prices) / len(found.prices)
        click.echo(
            f"  {len(found.prices)} fills, on average {mean:.6f} better in the run (its quotes are not the broker's)"
        )
    _show_answers(found.answers)
    one = found.difference
    if one is None:
        click.secho("  same: the run decides what was decided then", fg="green")
        for news in answer.bars:
            click.echo(f"  {news.text}; no decision depends on it")
        return
    bar = _bar(one.bar)
    decided = f", decided on the bar of {bar}" if bar else ""
    click.secho(f"  first difference at {iso_from_ns(one.time_ns)}: {one.kind} ({_KINDS[one.kind]}){decided}", fg="red")
    click.echo(f"    then     {_told(one.live)}")
    click.echo(f"    the run  {_told(one.again)}")
    for cause in answer.causes:
        click.echo(f"  why - {cause.kind}: {cause.text}")


def _show_answers(answers: Sequence[Difference]) -> None:
    """Show what a broker answered otherwise than the paper account would: no decision."""
    if answers:
        one = answers[0]
        click.echo(
            f"  {len(answers)} answers of the broker are not those of [paper]; the first, {iso_from_ns(one.time_ns)}:"
        )
        click.echo(f"    {one.kind}: then {_told(one.live)}")
        click.echo(f"    {' ' * len(one.kind)}  [paper] {_told(one.again)}")


def _told(what: Mapping[str, Any] | None) -> str:
    if what is None:
        return "nothing"
    return ", ".join(f"{name}={_shown(name, value)}" for name, value in what.items() if value is not None)


def _shown(name: str, value: object) -> object:
    if isinstance(value, float):
        return f"{value:.10g}"
    return iso_from_ns(value) if name.endswith("_ns") and isinstance(value, int) else value


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _moment(time_ns: int) -> str:
    """Return an end in whole milliseconds: it may be a nanosecond after the last thing that counts."""
    return iso_from_ns(time_ns // NS_PER_MS * NS_PER_MS)
