"""The page about the old trader names keys and states that exist."""

from __future__ import annotations

import re
import types
from typing import Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

from atrader.configuration.account import AccountConfig
from atrader.configuration.fleet import FleetConfig
from atrader.configuration.instance import InstanceConfig
from framework_bridge.parameters import AsirikuyParameters
from tests.support.doc_commands import ROOT

pytestmark = pytest.mark.docs

PAGE = (ROOT / "docs" / "migration.md").read_text(encoding="utf-8")
FILES: dict[str, type[BaseModel]] = {
    "etc/atrader.toml": FleetConfig,
    "etc/accounts": AccountConfig,
    "etc/strategies": InstanceConfig,
    "parameters": AsirikuyParameters,
}
KEY = re.compile(rf"`({'|'.join(map(re.escape, FILES))}): ([\w.]+)`")


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model that a field holds, if it holds one."""
    if get_origin(annotation) in (Union, types.UnionType):
        return next((found for part in get_args(annotation) if (found := model_in(part)) is not None), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def has_key(model: type[BaseModel] | None, key: str) -> bool:
    for name in key.split("."):
        if model is None or name not in model.model_fields:
            return False
        model = model_in(model.model_fields[name].annotation)
    return True


@pytest.mark.parametrize(("file", "key"), sorted(set(KEY.findall(PAGE))))
def test_every_key_in_the_table_exists(file: str, key: str) -> None:
    assert has_key(FILES[file], key)


def test_a_key_that_does_not_exist_is_found_out() -> None:
    assert has_key(AccountConfig, "oanda.token")
    assert not has_key(AccountConfig, "oanda.tokn")
    assert not has_key(FleetConfig, "log.level.more")
    assert len(KEY.findall(PAGE)) > 30


def test_every_row_says_what_became_of_it() -> None:
    rows = [line for line in PAGE.splitlines() if re.match(r"\| (?!was |old |---)", line) and line.count("|") == 4]
    assert len(rows) > 100
    wrong = [row for row in rows if row.split("|")[2].strip() not in ("here", "other", "not yet", "no")]
    assert not wrong
