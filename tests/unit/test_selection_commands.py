"""The commands of selection and allocation over a stopped installation."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from atrader.clock import parse_time
from atrader.configuration.home import Home
from atrader.configuration.loader import load_installation
from atrader.exit_codes import ExitCode
from atrader.market import Bars
from data_layer.offline import open_market
from data_layer.store.history_sqlite import SqliteHistoryStore
from tests.support.event_runs import random_bars
from tests.support.history_rows import rows, trade
from tests.support.price_series import make_prices
from tests.support.saved_results import save_cross
from tests.support.typed import Done, type_command

DAY_NS = 86_400_000_000_000
BEGIN_NS = parse_time("2026-01-05T12:00Z")
STRATEGY = """\
strategy = "sma-cross"
account = "paper"
instrument = "EUR/USD"
timeframe = "1m"
magic = {magic}

[parameters]
fast = 10  # bars
{size}
"""


def made(root: Path, *, count: int = 40, sizes: tuple[str, ...] = ("risk_frac = 0.01",) * 3) -> Home:
    """Make an installation with three instances, each with a closed trade a day.

    Results are 1, -1, 1 ... R for calm, two and a half times that for wild, and what calm has, a little less, for twin.
    """
    home = Home(root / "home")
    assert type_command("atrader-manager init --template empty", home.root).code == ExitCode.OK
    (home.etc / "accounts").mkdir(exist_ok=True)
    (home.etc / "strategies").mkdir(exist_ok=True)
    (home.etc / "atrader.toml").write_text("[market]\nfeed = 'synthetic'\ninstruments = ['EUR/USD']\n")
    (home.etc / "accounts" / "paper.toml").write_text("broker = 'paper'\n")
    chance = np.random.default_rng(3).normal(size=(count, 2))
    results = np.column_stack((chance[:, 0] + 0.5, 2.5 * chance[:, 1], 0.9 * chance[:, 0] + 0.1))
    found = []
    for magic, (name, size) in enumerate(zip(("calm", "wild", "twin"), sizes, strict=True), 1):
        (home.etc / "strategies" / f"{name}.toml").write_text(STRATEGY.format(magic=magic, size=size))
        for day, result in enumerate(results[:, magic - 1].tolist()):
            close_ns = BEGIN_NS + (day + day // 5 * 2) * DAY_NS
            row = trade(magic * 1000 + day, units="0", close_time_ns=close_ns, close_price=Decimal("1.1"))
            money = {"profit": f"{result * 50:.2f}", "commission": "0", "swap": "0", "initial_risk": "50"}
            found.append(
                ("trades", {**row, **money, "instance": name, "magic": magic, "open_time_ns": close_ns - 1000})
            )
    store = SqliteHistoryStore(home.history_store, "the test")
    store.append([("gateway:paper", rows(*found))])
    store.close()
    return home


def tool(home: Home, line: str) -> Done:
    """Run ``atrader`` over an installation."""
    return type_command("atrader", "-C", home.root, *line.split())


def test_ranking_puts_the_best_sharpe_ratio_first(tmp_path: Path) -> None:
    home = made(tmp_path)
    answer = tool(home, "rank --json").json
    assert [row["instance"] for row in answer["rows"]] == ["calm", "twin", "wild"]
    assert (answer["calendar"], answer["days"], answer["unit"]) == ("fx", 40, "money")
    assert answer["first_day"] == "2026-01-05"  # which begins on the evening before
    assert answer["rows"][0]["trades"] == 40
    shown = tool(home, "rank wild --unit r --by drawdown").out
    assert "history: 40 days of the calendar fx, 2026-01-05 to " in shown
    assert "; daily results in R" in shown
    assert "calm" not in shown


def test_correlations_name_one_bet_under_two_names(tmp_path: Path) -> None:
    home = made(tmp_path)
    answer = tool(home, "correlate --unit r --json").json
    assert answer["instances"] == ["calm", "twin", "wild"]
    assert [(pair["one"], pair["other"]) for pair in answer["alike"]] == [("calm", "twin")]
    assert answer["matrix"][0][0] == 1.0
    assert "calm and twin move together: 1.00" in tool(home, "correlate").out


def test_of_one_day_nobody_is_ranked_and_it_is_said(tmp_path: Path) -> None:
    home = made(tmp_path, count=1)
    assert {row["rank"] for row in tool(home, "rank --json").json["rows"]} == {None}
    basis, _, *table, said = tool(home, "rank").out.splitlines()
    assert basis.startswith("history: 1 day of the calendar fx")
    assert {line.split()[0] for line in table} == {"-"}
    assert said == "nobody is ranked: no sharpe can be told from 1 day"


def test_backtests_are_ranked_too_and_one_instance_in_two_of_them_is_told_apart(tmp_path: Path) -> None:
    home = made(tmp_path, count=1)
    bars = random_bars(3, 900, 1.1, 1e-5)
    told = [save_cross(home.root / "results", bars, fast=fast) for fast in (3, 5)]
    names = " ".join(f"--results {saved.name}" for saved in told)
    answer = tool(home, f"rank --by net --unit r --json {names}").json
    assert answer["source"] == [saved.name for saved in told]
    found = {row["instance"]: (row["trades"], row["net"]) for row in answer["rows"]}
    assert found == {
        f"cross@{saved.name}": (saved.summary["overall"]["trades"], pytest.approx(saved.summary["overall"]["net"]))
        for saved in told
    }
    [row] = tool(home, f"rank --json --results {told[0].folder}").json["rows"]
    assert row["instance"] == "cross"


def test_an_allocation_is_a_proposal_until_it_is_applied(tmp_path: Path) -> None:
    home = made(tmp_path)
    before = {path.name: path.read_text() for path in (home.etc / "strategies").iterdir()}
    out = tmp_path / "proposal.json"
    answer = tool(home, f"allocate --budget 0.03 --cap 0.02 --out {out} --json").json
    assert json.loads(out.read_text()) == answer
    assert (answer["applied"], answer["lost"]) == ([], ["wild"])
    assert {path.name: path.read_text() for path in (home.etc / "strategies").iterdir()} == before
    risks = {row["instance"]: Decimal(row["risk_frac"]) for row in answer["rows"]}
    assert Decimal("0.0299") < sum(risks.values()) <= Decimal("0.03")
    assert risks["wild"] < min(risks["calm"], risks["twin"])
    assert [row["contribution_frac"] for row in answer["rows"]] == pytest.approx([1 / 3] * 3, abs=1e-5)

    done = tool(home, "allocate --budget 0.03 --cap 0.02 --apply")
    assert done.code == ExitCode.OK, done.err
    assert "atrader-manager reload" in done.out
    assert "wild lost over these days" in done.out
    for name, instance in load_installation(home.root).instances.items():
        assert instance.parameters["risk_frac"] == risks[name]
        assert "fast = 10  # bars" in (home.etc / "strategies" / f"{name}.toml").read_text()


def test_the_limit_of_a_trade_is_a_cap(tmp_path: Path) -> None:
    home = made(tmp_path)
    with (home.etc / "strategies" / "calm.toml").open("a") as file:
        file.write("[trade]\nmax_risk_frac = 0.002\n")
    answer = tool(home, "allocate --method equal --budget 0.03 --json").json
    assert {row["instance"]: row["risk_frac"] for row in answer["rows"]} == {
        "calm": "0.002", "twin": "0.014", "wild": "0.014"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sizes", "words", "why"),
    [
        (("units = 1000\nrisk_frac = 0.5",), "", "give risk_frac or units, not both"),
        (("units = 1000",), "", "a fixed size takes no risk"),
        (("risk_frac = 0.01",), "--cap 0.001", "the caps add up to 0.003, less than the budget of 0.01"),
        (("risk_frac = 0.01",), "--min-days 41", "results of 40 days say too little"),
        (("risk_frac = 0.01",), "nobody", "no closed trades of nobody; there are some of calm, twin, wild"),
        (("risk_frac = 0.01",), "--start 2030-01-01", "no closed trades that fit the options"),
        (("risk_frac = 0.01",), "--results none-0001", "holds no result"),
    ],
)
def test_what_cannot_be_shared_out_is_refused_and_nothing_is_written(
    tmp_path: Path, sizes: tuple[str, ...], words: str, why: str
) -> None:
    home = made(tmp_path, sizes=(sizes[0], "risk_frac = 0.01", "risk_frac = 0.01"))
    before = (home.etc / "strategies" / "wild.toml").read_text()
    done = tool(home, f"allocate --budget 0.01 --apply {words}")
    assert done.code == ExitCode.CONFIG
    assert why in done.err
    assert (home.etc / "strategies" / "wild.toml").read_text() == before


def test_select_shows_what_the_rule_makes_of_stored_bars(tmp_path: Path) -> None:
    home = made(tmp_path, count=1)
    with (home.etc / "strategies" / "calm.toml").open("a") as file:
        file.write("[selection]\nphases = ['trend-up']\nvolatility = ['normal', 'quiet']\n")
    prices = make_prices("rising", 1, 300)
    bid = (prices.close, prices.high, prices.low, prices.close)
    times = BEGIN_NS + np.arange(300, dtype=np.int64) * 60_000_000_000
    with open_market(home) as market:
        market.import_bars("EUR/USD", "1m", "test", Bars(times, *bid, *bid, np.zeros(300)))
    [row] = tool(home, "select --json").json
    assert (row["instance"], row["state"], row["bars"]) == ("calm", None, 300)
    assert row["market"].startswith("trend-up (ADX ")
    assert row["switches"][0]["state"] == "ACTIVE"
    assert row["switches"][0]["reason"].endswith("; made for trend-up and made for normal or quiet")
    assert row["phases"]["trend-up"] > 0.9
    shown = tool(home, "select calm --start 2026-01-05T16:00Z").out
    assert "calm (EUR/USD 1m): not running yet" in shown
    assert "over 60 stored bars 100% ACTIVE, 0 switches" in shown


def test_select_prints_no_more_switches_than_fit_on_a_screen(tmp_path: Path) -> None:
    home = made(tmp_path, count=1)
    with (home.etc / "strategies" / "calm.toml").open("a") as file:
        file.write("[selection]\nphases = ['trend']\nmin_dwell_bars = 1\nconfirm_bars = 1\n")
    with open_market(home) as market:
        market.import_bars("EUR/USD", "1m", "test", random_bars(3, 3000, 1.09, 1e-5))
    [row] = tool(home, "select --json").json
    assert len(row["switches"]) > 40
    shown = tool(home, "select").out.splitlines()
    assert shown[-1] == "the latest 30 switches; --json has all, --start and --end choose others"
    assert len(shown) == 4 + 1 + 1 + 30 + 1
    assert shown[-2].split()[0] == row["switches"][-1]["time"]


def test_select_refuses_who_selects_nothing(tmp_path: Path) -> None:
    home = made(tmp_path, count=1)
    assert tool(home, "select").out == "no instance has a table [selection]\n"
    done = tool(home, "select wild")
    assert done.code == ExitCode.CONFIG
    assert "etc/strategies/wild.toml: has no table [selection]" in done.err
    assert "no instance 'x'" in tool(home, "select x").err
