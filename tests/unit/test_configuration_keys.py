"""Every key of the configuration is read by the program: one that changes nothing is a lie."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
from pydantic import BaseModel

from atrader.configuration.account import AccountConfig
from atrader.configuration.fleet import FleetConfig
from atrader.configuration.instance import InstanceConfig
from tests.support.config_reference import models_of

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ("atrader", "broker_api", "data_layer", "manager", "worker")


@cache
def attributes_read() -> frozenset[str]:
    files = (path for folder in SOURCE for path in (ROOT / folder).rglob("*.py"))
    nodes = (node for path in files for node in ast.walk(ast.parse(path.read_text())))
    return frozenset(node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load))


@pytest.mark.parametrize("file", [FleetConfig, AccountConfig, InstanceConfig])
def test_every_key_is_read_somewhere(file: type[BaseModel]) -> None:
    read = attributes_read()
    unread = [f"{model.__name__}.{key}" for model in models_of(file) for key in model.model_fields if key not in read]
    assert unread == []
