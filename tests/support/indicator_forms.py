"""The indicators in Python alone, where they were compiled as well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from atrader.indicators import _compiled


@contextmanager
def in_python() -> Iterator[None]:
    """Let nothing of the indicators be compiled for a while."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_compiled, "is_there", False)
        for kind, plain in _compiled.plain_updates.items():
            patch.setattr(kind, "update", plain)
        yield
