"""Memory that a process keeps for its next arrays."""

import ctypes
import subprocess
import sys

import pytest

FAULTS = """
import resource
{first}
import numpy as np
held = [np.ones(10**6) for _ in range(6)]
del held
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    held = [np.ones(10**6) for _ in range(6)]
    del held
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(first: str) -> int:
    found = subprocess.run(
        [sys.executable, "-c", FAULTS.format(first=first)], env={}, capture_output=True, text=True, check=True
    )
    return int(found.stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="needs glibc")
def test_arrays_are_made_of_memory_that_others_left() -> None:
    kept = faults("from atrader.runtime.memory import keep_memory; keep_memory()")
    pages_of_an_array = 8 * 10**6 // 4096
    assert kept < 2 * pages_of_an_array
    assert faults("import os; os.environ['NUMPY_MADVISE_HUGEPAGE'] = '0'") > 20 * pages_of_an_array
