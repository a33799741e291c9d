"""What unit tests share."""

from __future__ import annotations

from tests.support.asirikuy_fixtures import make_stage, ntp_server

__all__ = ["make_stage", "ntp_server"]
