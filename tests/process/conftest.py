"""Fleets of the process tests."""

from __future__ import annotations

from tests.support.asirikuy_fixtures import ntp_server
from tests.support.fleet_fixtures import MakeFleet, fleet, make_fleet
from tests.support.toy_fixtures import MakeToyFleet, make_toy_fleet

__all__ = ["MakeFleet", "MakeToyFleet", "fleet", "make_fleet", "make_toy_fleet", "ntp_server"]
