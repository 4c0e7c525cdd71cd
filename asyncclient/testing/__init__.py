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
from .mock import Call, MockTransport, Route, UnexpectedRequest
from .raw import RawConnection, RawServer, parse_fields
from .sent import SentRequest

__all__ = [
    "ASGITransport",
    "Answer",
    "Call",
    "DemoServer",
    "ManualClock",
    "MockTransport",
    "RawConnection",
    "RawServer",
    "Route",
    "SentRequest",
    "UnexpectedRequest",
    "WSGITransport",
    "build_response",
    "demo_certificates",
    "parse_fields",
]
