"""Calling a strategy: measured against its time budget, its exceptions turned into a policy."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from atrader.clock import Clock
from atrader.configuration.instance import InstanceConfig
from atrader.errors import ConfigError, StrategyError

Outcome = Literal["ok", "failed"]

_NOT_IN_TIME: Final = ("on_start",)  # nothing has to be decided yet: files and libraries are loaded, in `start_grace`


@dataclass(frozen=True, slots=True)
class Incident:
    """Something about a strategy call that people should know; recorded as an alert."""

    kind: Literal["strategy-error", "time-budget"]
    text: str


class StrategyCall:
    """Calls the strategy's methods; counts errors in a row.

    Parameters
    ----------
    report : callable
        Takes an `Incident` to log and record it.
    reduce : callable
        Asks for the instance's trading state REDUCING (``on_error = "reduce"``).
    """

    def __init__(
        self,
        config: InstanceConfig,
        clock: Clock,
        report: Callable[[Incident], None],
        reduce: Callable[[str], None],
    ) -> None:
        self._config = config
        self._clock = clock
        self._report = report
        self._reduce = reduce
        self.errors = 0
        self._errors_in_row = 0

    def __call__(self, what: str, call: Callable[[], None]) -> Outcome:
        """Run one callback.

        Raises
        ------
        StrategyError
            When the policy is to stop, or after ``max_errors`` failures in a row.
        ConfigError
            When the strategy finds that its configuration is wrong: no later bar changes that.
        """
        began = self._clock.monotonic_s()
        try:
            call()
        except ConfigError:
            raise
        except Exception as error:  # noqa: BLE001 - boundary: user code may fail in any way, a policy decides
            self._failed(what, error)
            return "failed"
        self._errors_in_row = 0
        took_s = self._clock.monotonic_s() - began
        if what not in _NOT_IN_TIME and took_s > self._config.time_budget:
            self._report(
                Incident(
                    "time-budget",
                    f"{what} took {took_s:.3f} s, more than time_budget = {self._config.time_budget:g} s",
                )
            )
        return "ok"

    def _failed(self, what: str, error: Exception) -> None:
        self.errors += 1
        self._errors_in_row += 1
        text = f"{what} raised {type(error).__name__}: {error}"
        self._report(Incident("strategy-error", text + "\n" + "".join(traceback.format_exception(error))))
        if self._config.on_error == "stop":
            raise StrategyError(f"{text} (on_error = stop)") from error
        if self._errors_in_row >= self._config.max_errors:
            raise StrategyError(f"{text}; {self._errors_in_row} errors in a row (max_errors)") from error
        if self._config.on_error == "reduce":
            self._reduce(text)
