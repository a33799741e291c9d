"""Runs the real manager over toy processes: ``python toy_manager.py HOME``."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[2]))  # children inherit it

from atrader.configuration.loader import load_installation
from atrader.errors import ConfigError
from manager.daemon import start_daemon
from manager.service import run_manager
from tests.support.toy import ENTRIES

LIBRARIES = "manager.preload.libraries"


def detached() -> None:
    """Do what ``start --daemon`` does, over toy processes; the installation is the second argument."""
    sys.exit(start_daemon(Path(sys.argv[2]), preload=LIBRARIES, entries=ENTRIES))


def main() -> None:
    """Do what ``start`` does, over toy processes."""
    home = Path(sys.argv[1])
    preload = sys.argv[2] if len(sys.argv) > 2 else LIBRARIES
    try:
        installation = load_installation(home)
    except ConfigError as error:
        sys.exit(str(error))
    sys.exit(run_manager(home, installation, foreground=True, preload=preload, entries=ENTRIES))


if __name__ == "__main__":
    main()
