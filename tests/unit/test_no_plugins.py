"""Commands build models without plugins of pydantic, unless somebody asks for them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

WORK = """
import sys
from atrader.runtime.no_plugins import without_plugins

without_plugins()
from pydantic import BaseModel

class Point(BaseModel):
    x: int

print(Point.model_validate({"x": "3"}).x, "email" in sys.modules)
"""


@pytest.mark.parametrize(("setting", "looks"), [(None, False), ("__all__", False), ("logfire-plugin", True)])
def test_models_are_built_and_plugins_are_looked_for_only_where_the_environment_names_some(
    setting: str | None, looks: bool
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYDANTIC_DISABLE_PLUGINS"}
    if setting is not None:
        environment["PYDANTIC_DISABLE_PLUGINS"] = setting
    command = [sys.executable, "-P", "-c", WORK]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment)
    assert done.stdout.split() == ["3", str(looks)]
