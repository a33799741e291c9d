"""What ``atrader replay-diff`` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from atrader.clock import iso_from_ns
from atrader.configuration.home import Home
from manager.commands.output import print_json
from manager.commands.progress import counting
from manager.rerun.diff import Answer, replay_diff
from research.rerun import Difference


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
        _show(instance, answer)
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


def _show(instance: str, answer: Answer) -> None:
    found = answer.comparison
    since = _time(answer.begin_ns) or "the begin of the replay"
    click.secho(f"{instance}: {since} to {iso_from_ns(answer.end_ns)}", bold=True)
    click.echo(f"  {found.signals} signals, {found.intents} intents, {found.trades} trades; {answer.restarts} restarts")
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
        click.secho("  same", fg="green")
        for news in answer.bars:
            click.echo(f"  {news.text}; no decision depends on it")
        return
    bar = _bar(one.bar)
    click.secho(
        f"  first difference at {iso_from_ns(one.time_ns)}: {one.kind}" + (f", bar {bar}" if bar else ""), fg="red"
    )
    click.echo(f"    then  {_told(one.live)}")
    click.echo(f"    again {_told(one.again)}")
    for cause in answer.causes:
        click.echo(f"  {cause.kind}: {cause.text}")


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
    return (
        "nothing" if what is None else ", ".join(f"{name}={value}" for name, value in what.items() if value is not None)
    )
