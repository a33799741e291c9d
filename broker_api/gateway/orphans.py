"""Instances that are gone from the configuration and still have trades or orders: nobody drops them silently."""

from __future__ import annotations

from typing import Final, Literal

from atrader.configuration.instance import InstanceConfig
from atrader.messages.gateway import Orphan
from broker_api.gateway.alerts import Alerts
from broker_api.gateway.book import Book
from broker_api.gateway.flatten import Flattener
from broker_api.gateway.gate import Gate
from broker_api.gateway.holdings import orphans_among
from broker_api.journal import Batch, Journal

_POLICY: Final = "orphan:"  # under it and the magic number, the journal keeps what was to be done


class Orphans:
    """Finds them in the book, so a new life of the gateway knows them as well.

    Their stops and targets go on, their trades stay until somebody flattens them. An instance that left with
    ``on_down`` "reduce" or "flatten" gets just that, now and by every later life of the gateway.
    """

    def __init__(self, book: Book, gate: Gate, flattener: Flattener, journal: Journal, alerts: Alerts) -> None:
        self._book = book
        self._gate = gate
        self._flattener = flattener
        self._journal = journal
        self._alerts = alerts
        self._alerted: set[int] = set()
        self._policies: dict[int, Literal["reduce", "flatten"]] = {}
        for magic, stored in journal.read.meta_under(_POLICY):
            if stored:
                policy: Literal["reduce", "flatten"] = "flatten" if stored == "flatten" else "reduce"
                self._policies[int(magic)] = policy
                self._flattener.abandoned(int(magic), policy)

    def found(self) -> tuple[Orphan, ...]:
        """Return who has trades or orders here and is not configured, by magic number."""
        return orphans_among(self._book.own_trades(), self._book.open_orders(), self._gate.instances.keys())

    def left(self, config: InstanceConfig) -> None:
        """Note that an instance has gone from the configuration; what it wanted for that case begins."""
        self._alerted.discard(config.magic)
        if config.on_down != "keep" and any(orphan.magic == config.magic for orphan in self.found()):
            self._note(config.magic, config.on_down)
            self._flattener.abandoned(config.magic, config.on_down)

    def came_back(self, magic: int) -> None:
        """Note that a magic number is configured (again)."""
        if magic in self._policies:
            self._note(magic, "")
            self._flattener.attached(magic)

    def turn(self) -> None:
        """Alert about each once, and forget the policies of those that hold nothing any more."""
        orphans = {orphan.magic: orphan for orphan in self.found()}
        for magic in self._policies.keys() - orphans.keys():
            self._note(magic, "")
            self._flattener.attached(magic)
        for magic in orphans.keys() - self._alerted:
            self._alerts.alert("orphan", self._describe(orphans[magic]), magic=magic)
        self._alerted = set(orphans)

    def _describe(self, orphan: Orphan) -> str:
        policy = self._policies.get(orphan.magic)
        fate = "they stay, with their stops" if policy is None else f"its on_down was {policy}, which is carried out"
        return (
            f"{orphan.instance} (magic {orphan.magic}) is in no strategy file of this account; open trades:"
            f" {orphan.open_trades}, working orders: {orphan.live_orders}; {fate};"
            f" 'atrader-manager orphans' lists them, closes them, or gives them to another instance"
        )

    def _note(self, magic: int, policy: Literal["", "reduce", "flatten"]) -> None:
        batch = Batch(self._book.account)
        batch.meta(f"{_POLICY}{magic}", policy)
        self._journal.stage(batch)
        if policy:
            self._policies[magic] = policy
        else:
            self._policies.pop(magic, None)
