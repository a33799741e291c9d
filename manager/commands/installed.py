"""Which installation a command acts on, and how it reaches the running fleet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from atrader.configuration.home import Home
from atrader.errors import ConfigError, DeadlineExceeded
from manager.lock import owner_of

if TYPE_CHECKING:
    from atrader.wire_frame import Askable

directory_option = click.option(
    "-C",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="ATRADER_HOME",
    default=Path(),
    metavar="DIR",
    help="Installation directory (default: $ATRADER_HOME, else the current one).",
)


def home_of(directory: Path, *, must_exist: bool = True) -> Home:
    """Return the installation at a directory.

    Raises
    ------
    ConfigError
        When there is none; says how to make one.
    """
    home = Home(directory.resolve())
    if must_exist and not (home.etc / "atrader.toml").is_file():
        raise ConfigError(
            f"{home.root} is no installation (etc/atrader.toml is missing): make one with "
            f"'atrader-manager init {directory}', or name one with -C DIR or ATRADER_HOME"
        )
    return home


class NotRunning(DeadlineExceeded):
    """Raised when nobody runs an installation."""

    code = "not-running"


def ask_manager(home: Home, request: Askable, timeout_s: float = 10.0) -> Any:
    """Call the manager of an installation.

    Raises
    ------
    NotRunning
        When there is no manager; known at once.
    DeadlineExceeded
        When it does not answer in time.
    """
    absent = NotRunning(f"nothing runs in {home.root}: start it with 'atrader-manager -C {home.root} start'")
    owner = owner_of(home)
    if owner is None:  # the kernel knows at once what a time-out takes its time to find out
        raise absent
    from atrader.bus import SyncCallClient  # only now: most of the time it costs

    client = SyncCallClient(home.endpoint("manager.call"))
    try:
        return client.call(request, timeout_s=timeout_s)
    except DeadlineExceeded:
        if owner_of(home) is None:  # it went while we asked
            raise absent from None
        raise DeadlineExceeded(
            f"{home.root}: {owner} did not answer within {timeout_s:g} s; see 'atrader-manager logs manager'"
        ) from None
    finally:
        client.close()


def ask_gateway(home: Home, account: str, request: Askable, timeout_s: float = 10.0) -> Any:
    """Call the gateway of an account of a running installation.

    Raises
    ------
    ConfigError
        When there is no such account.
    NotRunning
        When nothing runs; known at once.
    DeadlineExceeded
        When the gateway does not answer in time; whether it carried the request out is not known then.
    AtraderError
        What the gateway answers.
    """
    if not (home.etc / "accounts" / f"{account}.toml").is_file():
        known = ", ".join(sorted(path.stem for path in (home.etc / "accounts").glob("*.toml")))
        raise ConfigError(f"no account {account!r}; there are: {known}")
    if owner_of(home) is None:
        raise NotRunning(f"nothing runs in {home.root}: start it with 'atrader-manager -C {home.root} start'")
    from atrader.bus import SyncCallClient  # only now: most of the time it costs

    client = SyncCallClient(home.endpoint(f"gateway.{account}.call"))
    try:
        return client.call(request, timeout_s=timeout_s)
    except DeadlineExceeded:
        raise DeadlineExceeded(
            f"gateway-{account} did not answer within {timeout_s:g} s; see 'atrader-manager status' and"
            f" 'atrader-manager logs {account}'"
        ) from None
    finally:
        client.close()
