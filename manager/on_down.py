"""Whose worker is down for too long, so that the instance's ``on_down`` policy applies. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from atrader.configuration.instance import InstanceConfig


@dataclass(frozen=True, slots=True)
class Down:
    """An instance without a worker, and since when (monotonic seconds)."""

    config: InstanceConfig
    since_s: float


class DownWatch:
    """Notes since when workers are down, and for which of them the gateway was told."""

    def __init__(self) -> None:
        self._since_s: dict[str, float] = {}
        self._told: set[str] = set()

    def up(self, instance: str) -> None:
        """Note that the worker is RUNNING."""
        self._since_s.pop(instance, None)
        self._told.discard(instance)

    def down(self, instance: str, now_s: float) -> None:
        """Note that the worker is not RUNNING; the first time counts: a crash loop does not start the clock anew."""
        self._since_s.setdefault(instance, now_s)

    def told(self, instance: str) -> None:
        """Note that the gateway acknowledged."""
        self._told.add(instance)

    def untold(self, instances: Iterable[str]) -> None:
        """Note that the gateway of these instances is a new process, which has to be told again."""
        self._told.difference_update(instances)

    def due(self, configs: Iterable[InstanceConfig], now_s: float) -> Iterator[Down]:
        """Give the instances whose policy has to be applied now; ``keep`` needs nobody to do anything."""
        for config in configs:
            since_s = self._since_s.get(config.name)
            if since_s is None or config.name in self._told or config.on_down == "keep":
                continue
            if now_s - since_s >= config.on_down_after:
                yield Down(config, since_s)

    def excuse(self, seconds: float) -> None:
        """Move all times on: the manager itself was away."""
        self._since_s = {name: since_s + seconds for name, since_s in self._since_s.items()}
