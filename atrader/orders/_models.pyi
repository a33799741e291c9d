from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)

class Made(Protocol):
    def __call__(self, kind: type[M], /, **values: Any) -> M: ...

def maker(defaults_of: Callable[[type[BaseModel]], dict[str, Any]], /) -> Made: ...
def changed(model: M, /, **update: Any) -> M: ...
