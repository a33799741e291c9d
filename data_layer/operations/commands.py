"""How commands do operations: through the data layer while it runs, else by themselves."""

from __future__ import annotations

import time
from typing import Any, Final

from atrader.configuration.home import Home
from atrader.configuration.loader import load_fleet
from atrader.messages.operations import OperationName, StartOperation
from data_layer.client import DataClient
from data_layer.operations.access import StoredAccess
from data_layer.operations.work import Options, Progress, operate
from data_layer.store.places import data_layer_runs, place_of

_LOOK_S: Final = 0.1


def run_operation(home: Home, name: OperationName, options: Options, progress: Progress) -> dict[str, Any]:
    """Do an operation and return its result; blocks until it is done.

    Raises
    ------
    Rejected
        While the data layer does another one.
    DeadlineExceeded
        When the data layer holds the stores but does not answer.
    AtraderError
        What the operation raises.
    """
    if not data_layer_runs(home.history_store):
        config = load_fleet(home.root).data
        return operate(name, StoredAccess(home, config, place_of(home, config)), options, progress)
    with DataClient(home) as client:
        answer = client.start_operation(StartOperation(name=name, **options._asdict()))
        while not answer.is_done:
            progress(answer.done, answer.total, answer.doing)
            time.sleep(_LOOK_S)
            answer = client.operation(answer.id)
        return dict(answer.result or {})
