"""``atrader train`` on a real store, and what comes after it: a check, a backtest, a refusal."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from atrader.clock import iso_from_ns
from atrader.configuration.home import Home
from atrader.configuration.templates import write_template
from atrader.errors import AtraderError
from data_layer.offline import open_market
from manager.commands import fleet, tools
from tests.support.learned import FEATURES, PAIR, TIMEFRAME, swinging

BARS = swinging(2000)
WORDS = ("--instrument", PAIR, "--timeframe", TIMEFRAME, "--features", "return-1, rsi-5", "--horizon", "1")
WINDOWS = ("--train", "3d", "--test", "1d")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Give an installation with a week of bars and a model of them."""
    root = tmp_path_factory.mktemp("home")
    write_template(root, "empty")
    (root / "etc/atrader.toml").write_text(f"[market]\nfeed = 'synthetic'\ninstruments = ['{PAIR}']\n")
    with open_market(Home(root)) as market:
        market.import_bars(PAIR, TIMEFRAME, "made up", BARS)
    told = run(Home(root), tools.cli, "train", "models/a.model", *WORDS, *WINDOWS, "--json")
    assert json.loads(told)["features"] == list(FEATURES)
    return Home(root)


def run(home: Home, program: click.Group, *words: str) -> str:
    """Run a command in this process, which has scikit-learn loaded once; return what it printed."""
    result = CliRunner().invoke(program, ["-C", str(home.root), *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def refusal(home: Home, program: click.Group, *words: str) -> str:
    """Return why a command did nothing."""
    result = CliRunner().invoke(program, ["-C", str(home.root), *words])
    assert result.exit_code != 0
    assert isinstance(result.exception, AtraderError | SystemExit), result.exception
    return result.output + str(result.exception)


def test_every_window_is_shown_with_what_it_foretold(home: Home, tmp_path: Path) -> None:
    shown = run(home, tools.cli, "train", str(tmp_path / "b.model"), *WORDS, *WINDOWS)
    assert "foretold" in shown
    assert shown.splitlines()[-1] == f"2,000 bars of {PAIR}; kept in {tmp_path / 'b.model'}"
    assert (tmp_path / "b.model").read_bytes() == (home.root / "models/a.model").read_bytes()


def test_a_backtest_trades_the_model_on_bars_it_did_not_learn_from(home: Home) -> None:
    start = iso_from_ns(int(BARS.open_time_ns[-150]))
    words = ("scikit-learn", "--instrument", PAIR, "--timeframe", TIMEFRAME, "--param", "model=models/a.model")
    (summary,) = json.loads(run(home, tools.cli, "backtest", *words, "--start", start, "--json"))
    assert summary["errors"] == {}
    (figures,) = summary["statistics"]
    assert figures["trades"] > 3
    model = home.root / "models/a.model"
    before = model.read_bytes()
    run(home, tools.cli, "train", "models/a.model", *WORDS, *WINDOWS, "--anchored", "--replace")
    (again,) = json.loads(run(home, tools.cli, "backtest", *words, "--start", start, "--json"))
    model.write_bytes(before)
    assert again["identity_sha256"] != summary["identity_sha256"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("models/a.model", *WORDS, *WINDOWS), "is there already"),
        (("models/a.model/b.model", *WORDS, *WINDOWS), "nothing can be written in"),
        (("/proc/b.model", *WORDS, *WINDOWS), "can"),  # root may write there, and yet cannot
        (("models/b.model", *WORDS, "--train", "300"), "--train 300: "),
        (("models/b.model", *WORDS, "--train", "90d"), "no window"),
        (("models/b.model", *WORDS[:4], "--features", "rsi-5,rsi-5"), "named twice"),
        (("models/b.model", *WORDS[:4], "--features", "rsy-5"), "feature 'rsy-5' is unknown"),
        (("models/b.model", *WORDS[:4], "--features", " , "), "name at least one"),
        (("models/b.model", "--instrument", PAIR, "--timeframe", "5x"), "timeframe: expected"),
        (("models/b.model", "--instrument", "USD/JPY", "--timeframe", "5m"), "no 5m bars of USD/JPY"),
    ],
)
def test_what_cannot_be_trained_is_refused_and_leaves_no_file(home: Home, words: tuple[str, ...], says: str) -> None:
    assert says in refusal(home, tools.cli, "train", *words)
    assert [path.name for path in (home.root / "models").iterdir()] == ["a.model"]


def test_a_check_of_the_installation_refuses_a_wrong_list_of_features(home: Home) -> None:
    def configure(features: list[str]) -> None:
        file = home.etc / "strategies/learned.toml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(
            "strategy = 'scikit-learn'\naccount = 'paper'\nmagic = 9\n"
            f"instrument = '{PAIR}'\ntimeframe = '{TIMEFRAME}'\n"
            f"[parameters]\nmodel = 'models/a.model'\nfeatures = {features}\n"
        )

    configure(list(FEATURES))
    run(home, fleet.cli, "check")
    configure(list(reversed(FEATURES)))
    said = refusal(home, fleet.cli, "check")
    assert "learned.toml" in said
    assert "trained in another order" in said
