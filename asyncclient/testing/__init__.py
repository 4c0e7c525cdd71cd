"""For tests: a transport that answers from routes, a raw server that sends any bytes, and a small correct server.

>>> from asyncclient.testing import RawServer
>>> with RawServer.replying(b"HTTP/1.1 204 No Content\\r\\n\\r\\n") as server:
...     server.url.startswith("http://127.0.0.1:")
True
"""

from .answers import Answer, build_response
from .asgi import ASGITransport, WSGITransport
from .clock import ManualClock
from .demo import DemoServer, demo_certificates
from .faults import FaultInjector
from .mock import Call, MockTransport, Route, UnexpectedRequest
from .no_network import NetworkDisabled, no_network
from .raw import RawConnection, RawServer, parse_fields
from .recorder import Recorder
from .replay import Replay, record_once
from .sent import SentRequest

__all__ = [
    "ASGITransport",
    "Answer",
    "Call",
    "DemoServer",
    "FaultInjector",
    "ManualClock",
    "MockTransport",
    "NetworkDisabled",
    "RawConnection",
    "RawServer",
    "Recorder",
    "Replay",
    "Route",
    "SentRequest",
    "UnexpectedRequest",
    "WSGITransport",
    "build_response",
    "demo_certificates",
    "no_network",
    "parse_fields",
    "record_once",
]
