"""``atrader import-legacy``: what is done, in which order, and what came of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from atrader.configuration.fleet import FleetConfig
from atrader.configuration.home import Home
from atrader.configuration.loader import load_fleet, load_installation
from atrader.errors import ConfigError
from atrader.take_over import TakeOver
from data_layer.files.reading import ReadOptions
from data_layer.files.selection import grouped
from data_layer.history_import import import_trades, missing_trades
from data_layer.offline import open_market
from framework_bridge.legacy.conversion import LIBRARY, Plan, Wish, convert
from framework_bridge.legacy.findings import Finding, Kind
from manager.checking import check_installation
from manager.commands.data_import_work import Wish as FileWish
from manager.commands.data_import_work import import_groups
from manager.legacy.reading import OldInstallation, read_installation
from manager.legacy.writing import (
    INCOMPLETE,
    Manifest,
    Written,
    carry_states,
    check_sources,
    read_manifest,
    states,
    write,
)

_TAKE_OVER: Final = "data/take-over/"


class Order(NamedTuple):
    """What the command line says."""

    configs: tuple[Path, ...]
    out: Path
    monitor: Path | None
    library: Path | None
    zone: str
    paper: bool
    dry_run: bool


def import_legacy(order: Order, *, silent: bool) -> dict[str, Any]:
    """Move old installations into a new one; nothing is sent to a broker, and nothing of the old ones is changed.

    What was done stays done when it fails half-way; a repeated call does the rest and leaves alone what is there.

    Parameters
    ----------
    order : Order
        What to do.
    silent : bool
        Whether no progress bar is shown.

    Returns
    -------
    dict
        The report; ``problems`` are those with which the new installation does not start.

    Raises
    ------
    ConfigError
        When an old configuration is not there, or the new installation cannot be written.
    StoreError, DeadlineExceeded
        When the stores cannot be written.
    """
    home = Home(order.out.resolve())
    configs = list(dict.fromkeys(order.configs))
    old = [read_installation(path, order.monitor if path == configs[0] else None, order.zone) for path in configs]
    sources = [str(one.path) for one in old]
    plan = convert([one.files for one in old], Wish(paper=order.paper, library=_library(order, home)))
    for one in old:
        plan.findings += one.findings
    manifest = read_manifest(home.root)
    check_sources(manifest, sources, home.root)
    _add_take_overs(plan, home, manifest, sources)
    written, fleet, problems = _complete(home, plan, manifest)
    files = plan.files
    plan.findings += [_kept(one) for one in written if one.state == "kept"]
    plan.findings += [
        Finding(Kind.CHANGED, path, 0, "", "is what atrader-manager init wrote, and makes way")
        for path in manifest.sample
    ]
    if not order.dry_run:
        write(home.root, files, plan.folders, manifest, sources)
        for folder in (home.data, home.log):
            folder.mkdir(exist_ok=True)
        home.run.mkdir(mode=0o700, exist_ok=True)
    written += carry_states(home.root, plan.states, dry_run=order.dry_run)
    bars, failures = _import_bars(order, home, fleet, old, silent=silent)
    return {
        "dry_run": order.dry_run,
        "out": str(home.root),
        "sources": sources,
        "files": [one._asdict() for one in written],
        "bars": bars,
        "bars_failed": failures,
        "trades": _import_trades(order, home, fleet, plan),
        "take_over": [_shown(account, trade) for account, trades in plan.take_over.items() for trade in trades],
        "findings": [_finding(one) for one in plan.findings],
        "problems": problems,
    }


def not_taken_over(report: Mapping[str, Any]) -> int:
    """Count what of the old files could not be taken over: findings of that kind, and files of bars."""
    problems = [row for row in report["findings"] if row["kind"] == Kind.PROBLEM.value]
    return len(problems) + len(report["bars_failed"])


def _library(order: Order, home: Home) -> str | None:
    """Return where the C library is, when the user says so or put it into ``lib``; absolute."""
    if order.library is not None:
        if not order.library.is_file():
            raise ConfigError(f"--library {order.library}: there is no such file")
        return str(order.library.resolve())
    own = home.root / "lib" / LIBRARY
    return str(own) if own.is_file() else None


def _add_take_overs(plan: Plan, home: Home, manifest: Manifest, sources: Sequence[str]) -> None:
    """Plan the files of open trades; one of an earlier import whose trades have all closed since becomes empty."""
    for account, trades in plan.take_over.items():
        path = str(home.take_over(account).relative_to(home.root))
        if trades or (home.root / path).exists():
            plan.files[path] = TakeOver(source=", ".join(sources), trades=trades).text()
        if not trades and path in plan.files:
            text = "nothing of the old trader waits for the gateway any more"
            plan.findings.append(Finding(Kind.CHANGED, path, 0, "", text, "restart the gateway if it runs"))
    for path in manifest.hashes:
        if path.startswith(_TAKE_OVER) and path not in plan.files and (home.root / path).exists():
            text = "is of an earlier import, and what the old trader has open now is not known: kept as it is"
            remedy = "mend its data/*_openOrders.json and import again, or remove the trades that are closed"
            plan.findings.append(Finding(Kind.PROBLEM, path, 0, "", text, remedy))


def _kept(written: Written) -> Finding:
    text = "was changed since the last import, or is not of one: kept as it is"
    return Finding(Kind.CHANGED, written.path, 0, "", text, "move it away to have it written again")


def _complete(home: Home, plan: Plan, manifest: Manifest) -> tuple[list[Written], FleetConfig, list[str]]:
    """Check the new installation as it would be; strategies that could not run become incomplete ones."""
    while True:
        written = states(home.root, plan.files, manifest)
        fleet, problems, refused = _tried(home, plan.files, plan.folders, written)
        ours = [name for name in refused if _file_of(name) in plan.files and (_file_of(name), "kept") not in written]
        if not ours:
            return written, fleet, [*problems, *refused.values()]
        for name in ours:
            path, lines = _file_of(name), refused[name].splitlines()
            comments = "".join(f"# Incomplete: {line}\n" for line in lines)
            plan.files[f"{path}{INCOMPLETE}"] = comments + plan.files.pop(path)
            remedy = f"mend it, and rename it to {name}.toml"
            plan.findings += [
                Finding(Kind.PROBLEM, f"{path}{INCOMPLETE}", 0, "", f"cannot run: {line}", remedy) for line in lines
            ]


def _file_of(name: str) -> str:
    return f"etc/strategies/{name}.toml"


def _tried(
    home: Home, files: Mapping[str, str], folders: Sequence[str], written: Sequence[Written]
) -> tuple[FleetConfig, list[str], dict[str, str]]:
    """Lay the installation out where nobody sees it, and check it: problems of all, and by instance."""
    with tempfile.TemporaryDirectory(prefix="atrader-import-") as place:
        trial = Path(place)
        if home.etc.is_dir():
            shutil.copytree(home.etc, trial / "etc")
        for folder in folders:
            (trial / folder).mkdir(parents=True, exist_ok=True)
        for path, state in written:
            if state == "removed":
                (trial / path).unlink()
            elif state != "kept":
                (trial / path).parent.mkdir(parents=True, exist_ok=True)
                (trial / path).write_text(files[path], encoding="utf-8", newline="")
        try:
            installation = load_installation(trial)
        except ConfigError as error:
            return _fleet_of(trial), [str(problem) for problem in _lines(error)], {}
        found = check_installation(Home(trial), installation)
        named = {name: text.replace(f"{trial}/", "") for name, text in found.instances.items()}
        return installation.fleet, found.fleet, named


def _lines(error: ConfigError) -> Sequence[object]:
    found = error.details.get("problems")
    return found if isinstance(found, list) else [error.message]


def _fleet_of(trial: Path) -> FleetConfig:
    try:
        return load_fleet(trial)
    except ConfigError:
        return FleetConfig()  # what is wrong with it is in the problems


def _import_bars(
    order: Order, home: Home, fleet: FleetConfig, old: Sequence[OldInstallation], *, silent: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    paths = [path for one in old for path in one.bars]
    if not paths:
        return [], []
    with open_market(home, fleet) as market:
        wish = FileWish(dry_run=order.dry_run)
        return import_groups(market, fleet, grouped(paths), ReadOptions(), wish, silent=silent)


def _import_trades(order: Order, home: Home, fleet: FleetConfig, plan: Plan) -> list[dict[str, Any]]:
    rows = []
    for account, trades in plan.closed.items():
        if order.dry_run:
            new = len(missing_trades(home, account, trades))
        else:
            new = import_trades(home, fleet, account, trades)
        rows.append({"account": account, "closed": len(trades), "new": new})
    return rows


def _shown(account: str, trade: Any) -> dict[str, Any]:
    keys = ("trade_id", "instance", "magic", "instrument", "side", "units", "open_price", "stop_loss", "take_profit")
    values = trade.model_dump(mode="json")
    return {"account": account, **{key: values[key] for key in keys}}


def _finding(one: Finding) -> dict[str, Any]:
    return {**one._asdict(), "kind": one.kind.value}
