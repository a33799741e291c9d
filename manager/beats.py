"""What comes with beats from sockets: checked where it enters."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]


class BeatBody(BaseModel):
    """What every beat has; the rest belongs to the kind of process."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    pid: Count
    phase: str
    progress: Count
    rss_bytes: Count
    handled: dict[str, int] = {}
    latest: dict[str, int] = {}
    exposure: dict[str, dict[str, Any]] = {}
    trading_states: dict[str, str] = {}
    replay: dict[str, Any] | None = None
    account: dict[str, Any] | None = None
    outbox_lag: Count = 0
    warm_up_missing: Count = 0
    backfill: tuple[str, ...] = ()
    store: str = "ok"
