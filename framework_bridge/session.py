"""One instance of the loaded library: checked, initialised when it has to be, called under watch."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from atrader.clock import SystemClock
from atrader.errors import ConfigError
from atrader.strategy import Context, Placement
from framework_bridge.abi.call import StrategyCall
from framework_bridge.abi.codes import LibraryError, ReturnCode, require_success
from framework_bridge.abi.library import FrameworkLibrary
from framework_bridge.aside import temp_of, write_aside
from framework_bridge.conversion import Conversion, library_symbol
from framework_bridge.files import state_file
from framework_bridge.parameters import AsirikuyParameters
from framework_bridge.rates_feed import Filled, RatesFeed, Readiness
from framework_bridge.setup import Setup
from framework_bridge.watchdog import Watchdog


class LibrarySession:
    """Loads the library and calls it for one instance; for one thread.

    Parameters
    ----------
    setup, parameters, placement
        What it runs with.
    conversion : Conversion
        Which the library has to agree to.
    context : Context
        Asked for bars.
    state : bytes, optional
        Content of the state file that it goes on from, where it is not live; empty or None: it begins afresh.
    end : callable
        Ends the process, given the reason: after a call that hangs, or that damaged memory.

    Raises
    ------
    ConfigError
        When the library cannot be loaded, is another one, or does not know symbol or currency.

    Attributes
    ----------
    call : StrategyCall
        Arguments of the calls; orders, account and prices are filled by its owner.
    took_s : float
        What the last call took.
    initialised : int
        How often the instance was initialised; each time costs some memory of the library for good.
    """

    def __init__(
        self,
        setup: Setup,
        parameters: AsirikuyParameters,
        placement: Placement,
        conversion: Conversion,
        context: Context,
        end: Callable[[str], object],
        state: bytes | None = None,
    ) -> None:
        self._setup = setup
        self._placement = placement
        self._prefix = f"{placement.instance}-" if parameters.log_prefix is None else parameters.log_prefix
        self._end = end
        self._clock = SystemClock()
        self._was_good = False
        self.symbol = parameters.symbol or library_symbol(placement.instrument.symbol)
        self.took_s = 0.0
        self.initialised = 0
        if placement.is_live and setup.has_relative_paths and Path.cwd() != placement.root:
            raise ConfigError(
                f"{setup.framework_config}: the library takes its relative paths from the working directory, which is"
                f" {Path.cwd()}: write absolute ones, or run in {placement.root}"
            )
        self._library = FrameworkLibrary(setup.library)
        self._check(conversion)
        self.call = StrategyCall(
            setup.settings,
            symbol=self.symbol,
            currency=placement.currency,
            broker=setup.clock.broker,
            reference=setup.reference.broker,
            clock=setup.clock.wall(),
            plans=[None if plan is None else plan.rates for plan in setup.plans],
        )
        self._rates = RatesFeed(setup.plans, self.call, context)
        self._aside = None if placement.is_live else tempfile.TemporaryDirectory(prefix="atrader-asirikuy-")
        self._config = setup.framework_config
        if self._aside is not None:
            self._config = write_aside(setup.framework_config, placement.root, Path(self._aside.name))
            if state:
                state_file(temp_of(Path(self._aside.name)), placement.magic).write_bytes(state)
        self._begins_afresh = setup.is_testing and not state
        self._watchdog = Watchdog(parameters.call_deadline, end)

    def fill_bars(self, now_ns: int, bar_ns: int, *, is_new: bool) -> Filled:
        """Write the bars of the next call; see `RatesFeed.fill`."""
        return self._rates.fill(now_ns, bar_ns, is_new=is_new)

    def run(self, filled: Filled) -> int:
        """Call the library; return its code.

        Blocks for `call_deadline` at most: then, and when memory was written to that is not the library's, the process
        ends. After any code but 0 the next call has the library read everything again.

        Raises
        ------
        ConfigError
            When the first call of this process says that a file is wrong.
        """
        if filled.readiness is Readiness.ANEW:
            self._initialise()
        began_s = self._clock.monotonic_s()
        with self._watchdog.guard("c_runStrategy"):
            try:
                code = self._library.run(self.call)
            except LibraryError as error:
                self._end(str(error))
                raise
        self.took_s = self._clock.monotonic_s() - began_s
        if code == ReturnCode.SUCCESS:
            self._was_good = True
            self._rates.passed()
            return code
        self._rates.forget()
        if not self._was_good:
            self._require_no_wrong_file(code)
        return code

    def close(self) -> None:
        """End the instance in the library, and the watch; files that were only for this run are removed."""
        with self._watchdog.guard("deinitInstance"):
            self._library.deinit_instance(self._placement.magic)
        self._watchdog.close()
        if self._aside is not None:
            self._aside.cleanup()

    def _initialise(self) -> None:
        with self._watchdog.guard("initInstanceC"):
            self._library.init_instance(
                self._placement.magic,
                self._config,
                testing=self._begins_afresh,
                account_name=self._prefix,
            )
        self.initialised += 1

    def _check(self, conversion: Conversion) -> None:
        currency = self._placement.currency
        if (known := self._library.normalize_currency(currency)) != currency:
            raise ConfigError(f"account: the library does not know its currency {currency}, and takes it for {known}")
        conversion.require_named(*self._library.conversion_symbols(self.symbol, currency))

    def _require_no_wrong_file(self, code: int) -> None:
        try:
            require_success(code, f"the first call of strategy {self._placement.instance}")
        except LibraryError:
            return  # no file is wrong: the code is an alert
