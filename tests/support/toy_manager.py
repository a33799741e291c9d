"""Runs the real manager over toy processes: ``python toy_manager.py HOME``."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))  # children inherit it

from atrader.configuration.loader import load_installation
from atrader.errors import ConfigError
from manager.service import run_manager
from tests.support.toy import ENTRIES

if __name__ == "__main__":
    home = Path(sys.argv[1])
    preload = sys.argv[2] if len(sys.argv) > 2 else "manager.preload.libraries"
    try:
        installation = load_installation(home)
    except ConfigError as error:
        sys.exit(str(error))
    sys.exit(run_manager(home, installation, foreground=True, preload=preload, entries=ENTRIES))
