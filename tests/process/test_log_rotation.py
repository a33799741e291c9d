"""Log files: how large they grow, how many are kept, what is written at all."""

import json
import subprocess
import sys
from pathlib import Path

_CHILD = """
import json, sys
from pathlib import Path
from atrader.configuration.fleet import LogConfig
from atrader.runtime.logs import close_logs, configure_logs, process_logger
configure_logs(Path(sys.argv[1]), LogConfig.model_validate(json.loads(sys.argv[2])))
log = process_logger("worker-ann")
for number in range(200):
    log.info("bar", number=number)
    log.debug("quote", number=number)
close_logs()
"""


def run(path: Path, **config: object) -> None:
    subprocess.run([sys.executable, "-P", "-c", _CHILD, str(path), json.dumps(config)], check=True)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_log_file_is_rotated_at_its_size_and_only_so_many_are_kept(tmp_path: Path) -> None:
    run(tmp_path / "ann.log", max_file="4KB", files=3)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["ann.log", "ann.log.1", "ann.log.2"]
    assert all(0 < file.stat().st_size <= 4000 for file in files)
    kept = [line["number"] for file in reversed(files) for line in lines(file)]
    assert kept == list(range(200 - len(kept), 200))


def test_a_level_leaves_out_what_is_less_important(tmp_path: Path) -> None:
    for level, events in (("debug", {"bar", "quote"}), ("info", {"bar"}), ("warning", set())):
        path = tmp_path / f"{level}.log"
        run(path, level=level)
        assert {line["event"] for line in lines(path)} == events
