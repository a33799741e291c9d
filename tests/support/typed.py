"""Commands as a user types them: the installed scripts, in a directory, with an environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.warm_commands import can_run, run_warm

SCRIPTS = Path(sys.executable).parent
"""Where the scripts of the environment under test are."""


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        assert self.code == 0, self.err
        return json.loads(self.out)


def type_command(
    line: str,
    *more: object,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    scripts: Path = SCRIPTS,
    timeout_s: float = 120.0,
) -> Done:
    """Run one command line: the words of ``line``, then ``more`` arguments as they are; see `warm_commands`."""
    program, *words = line.split()
    words += map(str, more)
    inherited = {key: value for key, value in os.environ.items() if key not in ("ATRADER_HOME", "PYTHONPATH")}
    full = {**inherited, **(environment or {})}
    argv = [str(scripts / program), *words]
    if scripts == SCRIPTS and can_run(program, words, full):
        done = run_warm(argv, cwd=cwd, environment=full, timeout_s=timeout_s)
    else:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=cwd,
            env=full,
            timeout=timeout_s,
            check=False,
        )
    return Done(done.returncode, done.stdout, done.stderr)
