"""Pydantic without plugins: none of ours are any, and to look for them takes a twentieth of a short command."""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import Final

_SETTING: Final = "PYDANTIC_DISABLE_PLUGINS"
_LOADER: Final = "pydantic.plugin._loader"


def without_plugins() -> None:
    """Let models be built without plugins, unless the environment says otherwise; before pydantic builds the first.

    Told not to look for them, pydantic still imports what would: `importlib.metadata`, `email`, `zipfile`. A module
    that knows of none stands in for it. Where pydantic names it otherwise one day, nothing changes but the time.
    """
    if os.environ.setdefault(_SETTING, "__all__") == "__all__":
        loader = ModuleType(_LOADER)
        vars(loader)["get_plugins"] = tuple
        sys.modules.setdefault(_LOADER, loader)
