"""``make run``: a fleet on a synthetic market and a paper account, and what it does as it happens."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import click

from atrader.configuration.home import Home
from atrader.configuration.loader import load_installation
from atrader.configuration.templates import write_template
from atrader.errors import AtraderError
from atrader.messages.history import QueryHistory
from data_layer.client import DataClient
from manager.commands.output import Locked, run
from manager.commands.status import fetch
from manager.commands.status_view import print_status
from manager.demo_news import News
from manager.endings import described
from manager.lock import owner_of
from manager.log_files import MANAGER, Follower

_POLL_S = 0.5
_START_S = 30.0
_STOP_S = 30.0
_NEWEST = 100  # trades looked at; more than can change within a poll


@click.command()
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
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
    if (owner := owner_of(home)) is not None:
        raise Locked(
            f"{home.root} is in use by {owner} already\nlook: {_program('atrader-manager', home)} status --watch"
        )
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    with _manager(home) as manager, contextlib.suppress(KeyboardInterrupt):
        _wait_until_running(home, manager)
        _introduce(home)
        _follow(home, manager, seconds)
        if (code := manager.poll()) is not None:
            raise click.ClickException(
                f"the manager {described(code)}, and its fleet with it; see {home.log}. Trades and their stops stay:"
                " the next 'make run' takes them up again"
            )


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _manager(home: Home) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``atrader-manager start`` beside us, out of reach of the terminal's Ctrl-C; stop it on the way out."""
    command = [sys.executable, "-P", "-m", "manager.commands.fleet", "-C", str(home.root), "start"]
    home.log.mkdir(parents=True, exist_ok=True)
    with (home.log / "manager.out").open("wb") as out:
        manager = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    try:
        yield manager
    finally:
        if manager.poll() is None:
            click.echo("\nstopping: workers, gateway, data layer ...")
            _stop(manager)
            click.echo("stopped; open trades stay open, and the next 'make run' takes them up again")


def _stop(manager: subprocess.Popen[bytes]) -> None:
    """Stop the manager in order; impatience (a second Ctrl-C) makes it kill everything at once."""
    end_s = time.monotonic() + _STOP_S
    manager.terminate()
    while manager.poll() is None:
        try:
            manager.wait(max(0.0, end_s - time.monotonic()))
        except KeyboardInterrupt:
            manager.terminate()
        except subprocess.TimeoutExpired:
            manager.kill()  # the fleet dies with its manager


def _wait_until_running(home: Home, manager: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + _START_S
    while manager.poll() is None and time.monotonic() < deadline_s:
        with contextlib.suppress(AtraderError):
            status = fetch(home)
            if status["processes"] and all(row["state"] == "RUNNING" for row in status["processes"]):
                print_status(status)
                return
        time.sleep(0.1)
    said = (home.log / "manager.out").read_text(errors="replace").strip().splitlines()[-20:]
    raise click.ClickException("\n".join(["the fleet did not come up:", *said, f"more in {home.log}"]))


def _introduce(home: Home) -> None:
    click.echo(f"\nThe demonstration runs in {home.root}:")
    for instance in load_installation(home.root).instances.values():
        click.echo(
            f"  {instance.name}: {instance.strategy} on {instance.instrument} {instance.timeframe}, "
            f"account {instance.account}, magic {instance.magic}"
        )
    fleet, tools = _program("atrader-manager", home), _program("atrader", home)
    click.echo(
        f"\nIn another terminal:\n  {fleet} status --watch\n  {fleet} logs -f\n  {tools} history trades\n"
        "  kill -9 PID               # any pid of 'status'; watch it come back\n\n"
        "Trades appear below, within a minute. Ctrl-C stops everything.\n"
    )


def _program(name: str, home: Home) -> str:
    """Return how to type a command about this directory from where we are."""
    return f"{_from_here(Path(sys.executable).parent / name)} -C {_from_here(home.root)}"


def _from_here(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _follow(home: Home, manager: subprocess.Popen[bytes], seconds: float | None) -> None:
    """Print trades as they open and close, and processes as they die and come back."""
    end_s = None if seconds is None else time.monotonic() + seconds
    news, log = News(), Follower(home.log, MANAGER)
    with DataClient(home) as client:
        while manager.poll() is None and (end_s is None or time.monotonic() < end_s):
            lines = news.of_processes(log.new_lines())
            with contextlib.suppress(AtraderError):  # the data layer may be what was killed
                lines += news.of_trades(client.history(QueryHistory(table="trades", limit=_NEWEST)))
            for line in lines:
                click.echo(line)
            time.sleep(_POLL_S)


if __name__ == "__main__":
    run(demo)
