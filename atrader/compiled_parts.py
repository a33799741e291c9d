"""Whether what was compiled was compiled from the sources beside it: after a pull it may not have been yet."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from types import ModuleType


def are_current(*modules: ModuleType) -> bool:
    """Tell whether compiled modules belong to their sources; warn when one does not.

    An older one may take other arguments, or give other numbers, than the Python around it expects. `setup.py` writes
    the same digest behind the text of each module. Where there are no sources, as in a wheel, there is nothing to
    compare: both came together.
    """
    old = [module.__name__ for module in modules if not _is_current(module)]
    if old:
        warnings.warn(
            f"{', '.join(old)}: compiled from other sources than those here, and not used: Python does the same,"
            " slower; 'make setup' (or: pip install -e .) compiles again",
            stacklevel=2,
        )
    return not old


def _is_current(module: ModuleType) -> bool:
    path = Path(module.__file__ or "")
    source = path.with_name(f"{module.__name__.rpartition('.')[2]}.c")
    if not source.exists():
        return True
    digest = hashlib.sha256()
    for one in (source, *sorted(source.parent.glob("_*.h"))):
        digest.update(one.read_bytes())
    return (module.__doc__ or "").endswith(digest.hexdigest())
