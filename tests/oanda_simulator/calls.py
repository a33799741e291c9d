"""One call to the REST side, and what handlers need of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.oanda_simulator.account import Account
from tests.oanda_simulator.faults import Faults
from tests.oanda_simulator.reply import Reply
from tests.oanda_simulator.values import Fields, Malformed
from tests.oanda_simulator.venue import Venue


@dataclass
class Call:
    """A request that passed the gate: whose account, which parts of the path, query and body."""

    venue: Venue
    faults: Faults
    base_url: str
    parts: Mapping[str, str]
    query: Mapping[str, str]
    raw_body: bytes
    in_unix: bool
    known_account: Account | None = None

    @property
    def account(self) -> Account:
        """The account of the path."""
        if self.known_account is None:
            raise AssertionError("this path has no account")
        return self.known_account

    def body(self) -> Fields:
        """Return the JSON object of the body. Raises `Malformed`."""
        try:
            value: Any = json.loads(self.raw_body or b"{}")
        except ValueError:
            raise Malformed("Malformed JSON in the request body") from None
        if not isinstance(value, dict):
            raise Malformed("The request body is not a JSON object")
        return value

    def required(self, name: str) -> str:
        """Return a parameter that must be there. Raises `Malformed`."""
        if not self.query.get(name):
            raise Malformed(f"Required parameter '{name}' is missing")
        return self.query[name]


Handler = Callable[[Call], Reply]
