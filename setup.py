"""The compiled parts; everything else about the distribution is in setup.cfg.

They are optional: where nothing compiles, the wheel is built without them, and the same is done in Python.
"""

import runpy
from pathlib import Path

from setuptools import Extension, setup

# No contraction of floating point: what is compiled gives the bits that the same in Python gives.
FLAGS = ["-O3", "-std=c11", "-ffp-contract=off", "-fno-fast-math"]

# By its path: nothing of ours can be imported while it is built.
PARTS = runpy.run_path("atrader/compiled_parts.py")


def compiled(name: str) -> Extension:
    """Return a module made of the source of its name, and of headers.

    Their digest stands in the module: `atrader.compiled_parts` knows by it what was compiled from other sources.
    """
    source, *headers = PARTS["sources_of"](name, Path())
    return Extension(
        name,
        sources=[str(source)],
        depends=[str(header) for header in headers],
        include_dirs=["."],
        define_macros=[("SOURCES", f'"{PARTS["digest_of"]([source, *headers])}"')],
        extra_compile_args=FLAGS,
        optional=True,
    )


setup(
    ext_modules=[
        compiled("atrader.bus._reading"),
        compiled("atrader.indicators._recurrences"),
        compiled("atrader.indicators._updates"),
        compiled("atrader.orders._models"),
        compiled("framework_bridge.abi._rolling"),
        compiled("data_layer.shared._slots"),
        compiled("research.vector._kernel"),
        compiled("research.events._rows"),
        compiled("research.events._touch"),
        compiled("research.vector._columns"),
        compiled("research.statistics._splits"),
    ]
)
