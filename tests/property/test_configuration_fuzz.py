"""Whatever stands in the files, the loader reads it or raises ConfigError."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping
from pathlib import Path

import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from atrader.configuration.account import AccountConfig
from atrader.configuration.base import Section
from atrader.configuration.fleet import FleetConfig
from atrader.configuration.instance import InstanceConfig
from atrader.configuration.loader import load_installation
from atrader.errors import ConfigError


def keys_of(model: type[Section]) -> list[str]:
    return list(model.model_fields)


NESTED = ["market", "data", "bus", "log", "process", "instruments", "trade", "limits", "prop_firm", "budget"]
DEEPER = ["paper", "parameters", "session", "restart", "EUR/USD", "correlated", "speed"]
KEYS = st.sampled_from(
    [*keys_of(FleetConfig), *keys_of(AccountConfig), *keys_of(InstanceConfig), *NESTED, *DEEPER]
) | st.text(max_size=8)
WORDS = """
5s 1m 1d 7s 24h 0s 99999999999d 3GB EUR/USD USD/JPY EUR/GBP paper alpha sma-cross fx 24/7 replay bars max none 08:00
America/New_York 2024-01-01 0001-01-01 9999-12-31 x:Y 1M 1w
"""
TEXTS = st.text(max_size=12) | st.sampled_from(WORDS.split())
LEAVES = TEXTS | st.integers(-(10**25), 10**25) | st.floats() | st.booleans() | st.datetimes() | st.just(10**400)
TREES = st.dictionaries(
    KEYS,
    st.recursive(
        LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=12
    ),
    max_size=8,
)
RAW = st.binary(max_size=80) | st.text(alphabet="[]{}=.,\"'\n#abe0159_-: ", max_size=80).map(str.encode)
NUMBERS = st.sampled_from(
    [b"x = 1e999999999999999999999", b"beat_interval = 1e400", b"max_workers = 1e2", b"x=nan", b"x=1e-400"]
)


def as_toml(tree: Mapping[str, object]) -> bytes:
    try:
        return tomlkit.dumps(tree).encode()
    except (ValueError, TypeError):  # what TOML cannot hold is not written
        return b""


FILES = TREES.map(as_toml) | RAW | NUMBERS


def merged(base: dict[str, object], changes: Mapping[str, object]) -> bytes:
    return as_toml({**base, **changes})


FLEET: dict[str, object] = {"market": {"feed": "synthetic", "instruments": ["EUR/USD"]}}
STRATEGY: dict[str, object] = {
    "strategy": "sma-cross",
    "account": "paper",
    "magic": 1,
    "instrument": "EUR/USD",
    "timeframe": "1m",
}


@settings(max_examples=100)
@given(
    fleet=FILES | TREES.map(lambda tree: merged(FLEET, tree)),
    account=FILES | TREES.map(lambda tree: merged({"broker": "paper"}, tree)),
    strategy=FILES | TREES.map(lambda tree: merged(STRATEGY, tree)),
    other=st.none() | FILES,
)
def test_anything_in_the_files_is_read_or_is_a_configuration_error(fleet, account, strategy, other):
    with tempfile.TemporaryDirectory() as folder:
        etc = Path(folder) / "etc"
        for name, content in (
            ("atrader.toml", fleet),
            ("accounts/paper.toml", account),
            ("strategies/alpha.toml", strategy),
            ("strategies/beta.toml", other),
        ):
            if content is not None:
                (etc / name).parent.mkdir(parents=True, exist_ok=True)
                (etc / name).write_bytes(content)
        with contextlib.suppress(ConfigError):
            load_installation(Path(folder))
