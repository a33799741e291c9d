"""The compiled parts; everything else about the distribution is in setup.cfg.

They are optional: where nothing compiles, the wheel is built without them, and the vector engine runs in Python.
"""

from setuptools import Extension, setup

# No contraction of floating point: the compiled execution gives the bits that the one in Python gives.
FLAGS = ["-O3", "-std=c11", "-ffp-contract=off", "-fno-fast-math"]

setup(
    ext_modules=[
        Extension(
            "research.vector._kernel",
            sources=["research/vector/_kernel.c"],
            extra_compile_args=FLAGS,
            optional=True,
        )
    ]
)
