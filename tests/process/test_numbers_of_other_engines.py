"""The page on other engines, done as it says: the same bars, costs and signals give what those engines gave."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from atrader.exit_codes import ExitCode
from tests.support.doc_commands import ROOT
from tests.support.typed import type_command

REAL_DATA = Path(__file__).parents[3] / "shared" / "data"
PAGE = (ROOT / "docs/other-engines.md").read_text(encoding="utf-8")
ROWS = re.findall(r"\| `(--convention [^`]+)`.*\| ([\d.]+) \|", PAGE)

pytestmark = pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the shared market data are not here")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Follow the page up to its run."""
    root = tmp_path_factory.mktemp("peer") / "home"
    assert type_command("atrader-manager init --template empty", root).code == ExitCode.OK
    (account,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (strategy,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (root / "etc/accounts").mkdir(exist_ok=True)
    (root / "etc/atrader.toml").write_text("[market]\nfeed = 'replay'\ninstruments = ['BTC/USDT']\n")
    (root / "etc/accounts/peer.toml").write_text(account)
    (root / "strategies").mkdir(exist_ok=True)
    (root / "strategies/plain.py").write_text(strategy)
    (imported,) = re.findall(r"^    (atrader data import) \S+ (.*)$", PAGE, re.MULTILINE)
    done = type_command(imported[0], REAL_DATA / "btc-perp-20211231-20220201_1m.csv", *imported[1].split(), cwd=root)
    assert done.code == ExitCode.OK, done.err
    return root


def test_the_page_has_the_numbers_of_every_engine() -> None:
    assert len(ROWS) == 5


@pytest.mark.parametrize(("manner", "equity"), ROWS)
def test_the_run_of_the_page_gives_what_the_other_engine_gave(home: Path, manner: str, equity: str) -> None:
    (run,) = re.findall(r"^    (atrader backtest .*) --convention", PAGE, re.MULTILINE)
    (result,) = type_command(f"{run} {manner} --json", cwd=home).json
    assert result["final_equity"] == float(equity)
    assert result["overall"]["trades"] == 113
