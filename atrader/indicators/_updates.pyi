from collections.abc import Callable
from typing import Any

def method(kind: type[Any], plain: Callable[..., Any], doc: str, /) -> Callable[..., Any] | None: ...
