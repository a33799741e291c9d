"""The bus as a package: everything it promises is there, and one call needs no asyncio."""

import subprocess
import sys

import pytest

import atrader.bus
from atrader.errors import Rejected
from atrader.messages.manager import GetStatus, StatusAnswer
from atrader.wire import pack_answer, pack_error
from manager.commands.status import GET_STATUS


@pytest.mark.parametrize("name", atrader.bus.__all__)
def test_every_name_is_found_where_it_is_said_to_be(name: str) -> None:
    assert getattr(atrader.bus, name) is not None
    assert name in vars(atrader.bus)


def test_a_name_it_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'atrader\.bus' has no attribute 'Fax'"):
        atrader.bus.Fax  # noqa: B018


def modules_after(script: str) -> set[str]:
    script += "; import sys; print(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-P", "-c", script], check=True, capture_output=True, text=True).stdout.split()
    )


def test_a_client_of_one_call_is_had_without_asyncio() -> None:
    assert not modules_after("from atrader.bus import CurveKeys, SyncCallClient") & {
        "asyncio",
        "atrader.bus.call_client",
    }


def test_what_is_loaded_for_a_fork_is_all_of_it() -> None:
    parts = {f"atrader.bus.{part}" for part in ("beat", "call_client", "call_server", "stream_client", "stream_server")}
    assert parts <= modules_after("import atrader.bus; atrader.bus.load()")


def test_the_status_for_programs_is_asked_for_without_pydantic_and_is_the_same_question() -> None:
    assert "pydantic" not in modules_after("from atrader.bus import SyncCallClient; import manager.commands.status")
    assert GET_STATUS.packed(77) == GetStatus().packed(77)
    assert GET_STATUS.acts == GetStatus.acts
    answer = StatusAnswer(status={"manager": {"pid": 1}})
    assert GET_STATUS.answered(pack_answer(answer)) == answer.model_dump()
    with pytest.raises(Rejected, match="no, thanks"):
        GET_STATUS.answered(pack_error(Rejected("no, thanks")))
