"""``make run``: a fleet on a synthetic market and a paper account, and what it does as it happens."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from atrader.configuration.home import Home
from atrader.configuration.loader import load_installation
from atrader.configuration.templates import write_template
from atrader.errors import AtraderError
from atrader.messages.data import QueryHistory
from data_layer.client import DataClient
from manager.commands.output import run
from manager.commands.status import fetch, render

_POLL_S = 1.0
_STOP_S = 30.0


@click.command()
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Where it lives; kept.",
)
@click.option("--seconds", type=click.FloatRange(min=1), help="Stop by itself after so long (default: Ctrl-C).")
def demo(directory: Path, seconds: float | None) -> None:
    """Run the demonstration: three strategies trade a synthetic market on a paper account."""
    home = Home(directory.resolve())
    if not (home.etc / "atrader.toml").exists():
        write_template(home.root, "demo")
    installation = load_installation(home.root)
    with _manager(home) as manager:
        _wait_until_running(home, manager)
        click.echo(f"\nThe demonstration runs in {home.root}")
        for instance in installation.instances.values():
            click.echo(
                f"  {instance.name}: {instance.strategy} on {instance.instrument} {instance.timeframe}, "
                f"account {instance.account}, magic {instance.magic}"
            )
        command = f".venv/bin/atrader-manager -C {directory}"
        click.echo(
            f"\nIn another terminal:\n  {command} status --watch\n  {command} logs -f\n"
            f"  .venv/bin/atrader -C {directory} history trades\n"
            "  kill -9 any pid of 'status', and watch it come back\n\nTrades appear below. Ctrl-C stops everything.\n"
        )
        _follow(home, manager, seconds)


@contextlib.contextmanager
def _manager(home: Home) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``atrader-manager start`` beside us; Ctrl-C reaches it through us, and it is stopped on the way out."""
    command = [sys.executable, "-P", "-m", "manager.commands.fleet", "-C", str(home.root), "start"]
    manager = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        yield manager
    finally:
        if manager.poll() is None:
            click.echo("stopping: workers, gateways, data layer ...")
            manager.send_signal(signal.SIGTERM)
        try:
            manager.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            manager.kill()  # the fleet dies with its manager
            manager.wait()
        click.echo("stopped; open trades stay open and are taken up again by the next start")


def _wait_until_running(home: Home, manager: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + _STOP_S
    while manager.poll() is None and time.monotonic() < deadline_s:
        with contextlib.suppress(AtraderError):
            status = fetch(home)
            if status["processes"] and all(row["state"] == "RUNNING" for row in status["processes"]):
                from rich.console import Console

                Console().print(render(status))
                return
        time.sleep(0.1)
    raise click.ClickException(f"the fleet did not come up; see the files in {home.log}")


def _follow(home: Home, manager: subprocess.Popen[bytes], seconds: float | None) -> None:
    """Print trades as they open and close."""
    end_s = None if seconds is None else time.monotonic() + seconds
    seen: dict[str, str] = {}
    client = DataClient(home)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        while manager.poll() is None and (end_s is None or time.monotonic() < end_s):
            with contextlib.suppress(AtraderError):
                for row in client.history(QueryHistory(table="trades", limit=50)):
                    _show(row, seen)
            time.sleep(_POLL_S)
    except KeyboardInterrupt:
        click.echo()
    finally:
        client.close()


def _show(row: dict[str, Any], seen: dict[str, str]) -> None:
    stage = f"{row['state']} {row['units']}"
    if seen.get(row["trade_id"]) == stage:
        return
    seen[row["trade_id"]] = stage
    text = f"{row['instance']:<18} {row['side']:<4} {row['instrument']} opened {row['open_price']}"
    if row["state"] == "closed":
        colour = "green" if float(row["profit"]) >= 0 else "red"
        text += f", closed {row['close_price']} ({row['close_reason']}): "
        text += click.style(f"{row['profit']} profit", fg=colour)
    else:
        text += f", holds {row['units']}"
    click.echo(text)


if __name__ == "__main__":
    run(demo)
