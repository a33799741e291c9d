"""Fleets of the process tests."""

from __future__ import annotations

from tests.support.fleet_fixtures import MakeFleet, fleet, make_fleet

__all__ = ["MakeFleet", "fleet", "make_fleet"]
