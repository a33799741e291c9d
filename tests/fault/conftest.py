"""A fleet per test."""

from __future__ import annotations

from tests.support.asirikuy_fixtures import ntp_server
from tests.support.fleet_fixtures import fleet

__all__ = ["fleet", "ntp_server"]
