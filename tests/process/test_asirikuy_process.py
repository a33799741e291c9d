"""The C library's stand-in in a real worker, on a paper account."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.asirikuy_fleet import AsirikuyFleet, time_server
from tests.support.books import check_books, orders_so_far
from tests.support.fleet import wait_for


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[AsirikuyFleet]:
    made = AsirikuyFleet(tmp_path / "home")
    with time_server() as server:
        made.servers = f"ntp_servers = ['{server}']"
        try:
            yield made
        finally:
            made.end()


def test_the_library_trades_live_and_every_order_is_in_the_books(fleet: AsirikuyFleet) -> None:
    fleet.write_market()
    fleet.write_library_instance(text=fleet.unlimited())
    fleet.import_minutes()
    fleet.start()
    wait_for(lambda: orders_so_far(fleet) > 10, "orders")
    assert fleet.stop() == 0
    check_books(fleet)
    read_anew = [row["value"] for row in fleet.history("signals") if row["name"] == "library-initialised"]
    assert read_anew == [1.0], "the library followed each call with its own bars"
