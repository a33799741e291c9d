"""The URL of a data layer on another host."""

from __future__ import annotations

import pytest

from atrader.configuration.fleet import BusConfig
from atrader.configuration.tcp_url import BULK, CALL, STREAM, service_url


def test_the_services_are_on_the_port_and_the_two_after_it():
    assert [service_url("tcp://data.example.org:5500", service) for service in (CALL, BULK, STREAM)] == [
        "tcp://data.example.org:5500",
        "tcp://data.example.org:5501",
        "tcp://data.example.org:5502",
    ]
    assert service_url("tcp://[::1]:65533", STREAM) == "tcp://[::1]:65535"
    assert BusConfig(data_tcp="tcp://*:5500").data_tcp == "tcp://*:5500"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "5500",
        "tcp://",
        "tcp://host",
        "ipc:///run/x",
        "tcp://host:0",
        "tcp://host:65534",
        "tcp://a@host:1",
        "tcp://h:1/x",
    ],
)
def test_what_is_no_such_url_is_refused(url: str):
    with pytest.raises(ValueError, match=r"tcp://HOST:PORT|two after it"):
        service_url(url, CALL)
    with pytest.raises(ValueError, match="data_tcp"):
        BusConfig(data_tcp=url)
