"""What every test gets: a far time zone, hypothesis profiles, a marker by folder, and a leak check."""

import functools
import gc
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent

# Appended, not put first: the packages under test must come from where they are installed.
sys.path.append(str(ROOT))

from tests.support import warm_commands  # noqa: E402
from tests.support.leaks import Baseline, end_leaked_processes  # noqa: E402
from tests.support.postgresql import any_server, database  # noqa: E402

# Far from UTC, three quarters past the hour, and with summer time in the southern half of the year.
os.environ["TZ"] = "Pacific/Chatham"
time.tzset()
if time.timezone != -45900:  # a machine without zone files: the same rules spelled out
    os.environ["TZ"] = "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45"
    time.tzset()

# A script that runs the tests in the background has them ignore Ctrl-C, and so would the commands that they interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("local", deadline=None, max_examples=50)
hypothesis.settings.register_profile("ci", deadline=None, max_examples=50, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")

KINDS = ("unit", "contract", "property", "process", "fault", "docs")
RUN_COMMANDS = {"process", "fault"}
LONGEST = ("test_replay", "test_wheel", "test_supervision", "test_data_layer_process")
TURNS = ("process", "fault", "contract", "property", "unit", "docs")
LEAK_CHECKED = {"contract", "process", "fault"}


@functools.cache
def kind_of(path: Path) -> str | None:
    """Return the folder of tests/ that a test lies in, or None for one that lies elsewhere."""
    parts = path.relative_to(ROOT / "tests").parts if path.is_relative_to(ROOT / "tests") else ()
    return parts[0] if parts and parts[0] in KINDS else None


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Collect no garbage while hundreds of thousands of objects are made that stay, nor look at these ever again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its kind, which is its folder; let files that take long begin first, so that none ends last."""
    for item in items:
        if kind := kind_of(item.path):
            item.add_marker(kind)
    items.sort(key=lambda item: _turn(item.path))  # stable: the order within a file stays


@functools.cache
def _turn(path: Path) -> tuple[int, int]:
    longest = LONGEST.index(path.stem) if path.stem in LONGEST else len(LONGEST)
    kind = kind_of(path)
    return longest, TURNS.index(kind) if kind in TURNS else len(TURNS)


@pytest.fixture
def closed_context() -> Iterator[None]:
    """End the ZeroMQ context of the test process after the test, or its descriptors count as leaked."""
    yield
    from atrader.bus import close_context  # most tests need no bus

    close_context()


@pytest.fixture(autouse=True)
def nothing_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a process, thread, descriptor or shared-memory segment behind."""
    if kind_of(request.path) not in LEAK_CHECKED:
        yield
        return
    if kind_of(request.path) in RUN_COMMANDS:
        warm_commands.begin()  # the helper that all tests share is no leak of the first
    params = getattr(getattr(request.node, "callspec", None), "params", {}).values()
    if any(isinstance(value, str) and value == "postgresql" for value in params):  # some are arrays
        request.getfixturevalue("postgresql")  # the server that all tests share is no leak of the first
    marker = request.node.get_closest_marker("allow_leaks")
    baseline = Baseline.take(request.node.nodeid)
    yield
    leaks = baseline.wait_for_leaks_to_go(**(marker.kwargs if marker else {}))
    end_leaked_processes(leaks)
    if leaks:
        pytest.fail("left behind: " + "; ".join(leak.text for leak in leaks), pytrace=False)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Give the address of a PostgreSQL server, one for each process that runs tests."""
    with any_server() as url:
        yield url


@pytest.fixture
def postgresql_url(postgresql: str) -> Iterator[str]:
    """Give the address of an empty database."""
    with database(postgresql) as url:
        yield url
