"""The simulator by hand: ``make oanda-sim``. It prints where it is and an account file, and ends with Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import click

from atrader.clock import parse_time
from tests.oanda_simulator.account import AccountSettings
from tests.oanda_simulator.hours import Hours
from tests.oanda_simulator.instruments import SPECS
from tests.oanda_simulator.limits import Limits
from tests.oanda_simulator.recorded import RecordedPrices
from tests.oanda_simulator.simulator import HEDGING_ACCOUNT, NETTING_ACCOUNT, OandaSimulator
from tests.oanda_simulator.synthetic import MovingPrices, load_history

FIFO_ACCOUNT, MT4_ACCOUNT = "101-004-1234567-003", "101-004-1234567-004"
ACCOUNTS = (
    (AccountSettings(HEDGING_ACCOUNT, hedging=True, alias="Hedging"), "long and short trades live together"),
    (AccountSettings(NETTING_ACCOUNT, alias="Netting"), "one net position per instrument"),
    (AccountSettings(FIFO_ACCOUNT, fifo=True, alias="FIFO"), "the rules of the USA"),
    (AccountSettings(MT4_ACCOUNT, mt4_id=4_711, alias="MT4"), "linked to MT4: no client extensions"),
)


def told(simulator: OandaSimulator, control_url: str) -> dict[str, Any]:
    """Return what a client needs."""
    return {
        "rest_url": simulator.rest_url,
        "stream_url": simulator.stream_url,
        "control_url": control_url,
        "token": simulator.token,
        "accounts": list(simulator.venue.accounts),
    }


def account_file(simulator: OandaSimulator, account: AccountSettings) -> str:
    """Return an account file that leads to an account of this simulator."""
    return f"""\
broker = "oanda"
positions = "{"hedging" if account.hedging else "netting"}"
currency = "{account.currency}"

[oanda]
environment = "{simulator.environment}"
account_id = "{account.id}"
token = "env:OANDA_TOKEN"
rest_url = "{simulator.rest_url}"
stream_url = "{simulator.stream_url}"
"""


def welcome(simulator: OandaSimulator, control_url: str) -> str:
    """Return what a person needs."""
    rows = "\n".join(f"  {settings.id}  {text}" for settings, text in ACCOUNTS)
    return f"""\
OANDA v20 simulator: an invented market, no money.

  REST     {simulator.rest_url}
  streams  {simulator.stream_url}
  control  {control_url}
  token    {simulator.token}

Accounts:
{rows}

Try it: put the next lines into etc/accounts/oanda.toml of an installation, and
  export OANDA_TOKEN={simulator.token}

{account_file(simulator, ACCOUNTS[0][0])}
Ctrl-C ends it."""


async def serve(simulator: OandaSimulator, options: dict[str, Any]) -> None:
    """Run until a signal asks for the end."""
    stop = asyncio.Event()
    playing: asyncio.Task[None] | None = None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with simulator:
        control_url = await simulator.start_control(options["control_port"])
        if options["history_days"]:
            load_history(simulator, options["seed"], options["history_days"], options["hours"])
        if options["recorded"]:
            prices = RecordedPrices(simulator, options["recorded"], options["speed"])
            playing = simulator.spawn(prices.run())
            playing.add_done_callback(lambda task: stop.set() if not task.cancelled() and task.exception() else None)
        elif options["every"]:
            simulator.spawn(MovingPrices(simulator, options["seed"], options["every"]).run())
        text = json.dumps(told(simulator, control_url)) if options["as_json"] else welcome(simulator, control_url)
        click.echo(text)
        await stop.wait()
        if playing and playing.done():
            playing.result()


def _files(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, Path]:
    """Read ``INSTRUMENT=FILE``, several times."""
    found = dict(text.split("=", 1) for text in given if "=" in text)
    unknown = [text for text in given if text.partition("=")[0] not in SPECS]
    if unknown or len(found) < len(given):
        raise click.BadParameter(f"expected INSTRUMENT=FILE with one of {', '.join(SPECS)}")
    return {name: Path(path) for name, path in found.items()}


@click.command(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.option("--port", default=20_120, help="Port of the REST side; 0: any.")
@click.option("--stream-port", default=20_121, help="Port of the streams; 0: any.")
@click.option("--control-port", default=20_122, help="Port of the control endpoint; 0: any.")
@click.option("--seed", default=1, help="Decides how prices move.")
@click.option("--every", default=0.5, help="Seconds between two prices of an instrument; 0: only commanded ones.")
@click.option("--recorded", multiple=True, callback=_files, help="INSTRUMENT=FILE of timestamp,bid,ask to play.")
@click.option("--speed", default=1.0, help="How much faster than they were recorded prices are played.")
@click.option("--history-days", default=30.0, help="Days of minutes before the start; 0: none.")
@click.option("--hours", type=click.Choice(["always", "fx"]), default="always", help="When the market trades.")
@click.option("--start", help="A virtual clock that begins here (UTC) and moves by command only.")
@click.option("--skew", default=0.0, help="Seconds by which the venue's clock is ahead of this host's.")
@click.option("--loose", is_flag=True, help="No limits on requests, streams and connections.")
@click.option("--window", default=0.25, help="Seconds of a window in which a stream sends one price; 0: sends all.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON in place of the text.")
def main(**options: Any) -> None:
    """Run a simulator of OANDA v20 with four kinds of accounts until Ctrl-C."""
    hours: Hours = options["hours"]
    simulator = OandaSimulator(
        [settings for settings, _ in ACCOUNTS],
        start_ns=parse_time(options["start"]) if options["start"] else None,
        skew_s=options["skew"],
        hours=hours,
        limits=Limits.loose() if options["loose"] else None,
        price_window_s=options["window"],
        rest_port=options["port"],
        stream_port=options["stream_port"],
    )
    try:
        asyncio.run(serve(simulator, options))
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        remedy = "name other ports with --port, --stream-port and --control-port"
        what = f"{error.filename}: {error.strerror}" if error.filename else f"{error.strerror}: {remedy}"
        raise click.ClickException(what) from None


if __name__ == "__main__":
    main()
