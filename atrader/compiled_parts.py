"""What compiled parts are made of, and whether they were made of the sources here: after a pull they may not be yet.

`setup.py` runs this file for the rule, with nothing of ours or of others installed yet.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Final

SHARED: Final = "atrader/headers"
"""The folder of the headers that compiled parts of any folder include, by this path."""


def are_current(*modules: ModuleType) -> bool:
    """Tell whether compiled modules belong to their sources; warn when one does not.

    An older one may take other arguments, or give other numbers, than the Python around it expects. `setup.py` writes
    the digest of the sources behind the text of each module. Where there are no sources, as in a wheel, there is
    nothing to compare: both came together.
    """
    old = [module.__name__ for module in modules if not _is_current(module)]
    if old:
        warnings.warn(
            f"{', '.join(old)}: compiled from other sources than those here, and not used: Python does the same,"
            " slower; 'make setup' (or: pip install -e .) compiles again",
            stacklevel=2,
        )
    return not old


def sources_of(name: str, root: Path) -> list[Path]:
    """Return what a compiled module is made of: its source first, the headers beside it, and those that all share.

    Parameters
    ----------
    name
        Of the module, with those of its packages.
    root
        The folder in which `atrader` is.
    """
    source = root.joinpath(*name.split(".")).with_suffix(".c")
    return [source, *sorted(source.parent.glob("_*.h")), *sorted((root / SHARED).glob("_*.h"))]


def digest_of(sources: Iterable[Path]) -> str:
    """Return a digest of what files hold, 64 characters of hexadecimal; `OSError` where one cannot be read."""
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def _is_current(module: ModuleType) -> bool:
    path, name = Path(module.__file__ or "").absolute(), module.__name__
    sources = sources_of(name, path.parents[name.count(".")])
    return not sources[0].exists() or (module.__doc__ or "").endswith(digest_of(sources))
