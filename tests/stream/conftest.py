"""Each kind of stream as a parameter: all of them keep one and the same contract."""

from functools import partial
from typing import Any

import pytest

from asyncclient.timeouts import Timeout
from tests.durations import STALL
from tests.servers import Certificates
from tests.stream.peers import Connect, Feed, connected_stream, scripted_stream, stream_with_pieces


@pytest.fixture(params=["scripted", "tcp", "tls"])
def feed(request: pytest.FixtureRequest) -> Feed:
    """feed([pieces], stays=False): a stream whose peer sends these pieces, then ends or stays silent."""
    if request.param == "scripted":
        return scripted_stream
    return partial(stream_with_pieces, tls=request.getfixturevalue("tls") if request.param == "tls" else None)


@pytest.fixture(params=["tcp", "tls"])
def over(request: pytest.FixtureRequest) -> str:
    """The transport below the stream: TCP or TLS."""
    kind: str = request.param
    return kind


@pytest.fixture
def connect(over: str, tls: Certificates) -> Connect:
    """connect(handler, read=…, …): a stream to a server that runs the handler, with these timeouts."""

    def connect(handler: Any, *, options: Any = (), **timeouts: Any) -> Any:
        limits = {"read": STALL, "write": STALL, "close": 0.2, **timeouts}
        return connected_stream(handler, tls if over == "tls" else None, Timeout(**limits), socket_options=options)

    return connect
