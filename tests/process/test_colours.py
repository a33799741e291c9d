"""Commands write colours to a terminal, unless who types them wants none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from atrader.configuration.home import Home
from atrader.configuration.templates import write_template
from data_layer.offline import open_market
from tests.support.price_walks import walk


def on_a_terminal(words: list[str], environment: dict[str, str]) -> bytes:
    """Run a command on a terminal of its own, and return what it wrote there."""
    own, its = os.openpty()
    command = [sys.executable, "-P", "-c", "from manager.commands.tools import main; main()", *words]
    kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    subprocess.run(command, stdin=its, stdout=its, stderr=its, env={**kept, **environment}, check=False, timeout=60)
    os.close(its)
    try:
        return os.read(own, 65_536)
    finally:
        os.close(own)


@pytest.mark.parametrize("folder", ["home", "none"])
def test_tables_and_errors_have_no_colours_where_no_color_is_set(tmp_path: Path, folder: str) -> None:
    home = Home(tmp_path / "home")
    write_template(home.root, "empty")
    with open_market(home) as market:
        market.import_bars("EUR/USD", "1m", "test", walk(50, "1m", begin="2024-03-04T00:00:00Z"))
    words = ["-C", str(tmp_path / folder), "data", "list"]
    assert b"\x1b[" in on_a_terminal(words, {})
    told = on_a_terminal(words, {"NO_COLOR": "1"})
    assert told
    assert b"\x1b[" not in told
