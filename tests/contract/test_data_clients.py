"""The two clients of the data layer are one definition: the same calls, asked by blocking or by awaiting."""

from __future__ import annotations

import inspect

import pytest

from data_layer.client import AsyncDataClient, DataClient, questions

FROM_MEMORY = {"bars", "forming_bar", "shared_prices"}  # asked by methods that look into shared memory first
CALLS = [
    name
    for name, value in vars(questions).items()
    if inspect.isfunction(value)
    and value.__module__ == questions.__name__
    and name[0] != "_"
    and name not in FROM_MEMORY
]


def public(client: type) -> set[str]:
    return {name for name in vars(client) if name[0] != "_"}


def test_both_clients_have_the_same_methods() -> None:
    assert public(DataClient) == public(AsyncDataClient)
    assert public(DataClient) >= set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_has_the_text_of_its_question_in_both_clients(name: str) -> None:
    question = getattr(questions, name)
    for client in (DataClient, AsyncDataClient):
        method = getattr(client, name)
        assert inspect.getdoc(method) == inspect.getdoc(question)
        assert list(inspect.signature(method).parameters) == list(inspect.signature(question).parameters)
    assert inspect.iscoroutinefunction(getattr(AsyncDataClient, name))
    assert not inspect.iscoroutinefunction(getattr(DataClient, name))
