"""For tests: a transport that answers from a table, a raw server that sends any bytes, and a small correct server.

>>> from asyncclient.testing import RawServer
>>> with RawServer.replying(b"HTTP/1.1 204 No Content\\r\\n\\r\\n") as server:
...     server.url.startswith("http://127.0.0.1:")
True
"""

from .clock import ManualClock
from .demo import DemoServer, demo_certificates
from .raw import RawConnection, RawServer, parse_fields
from .scripted import Answer, ScriptedTransport, SentRequest, UnexpectedRequest

__all__ = [
    "Answer",
    "DemoServer",
    "ManualClock",
    "RawConnection",
    "RawServer",
    "ScriptedTransport",
    "SentRequest",
    "UnexpectedRequest",
    "demo_certificates",
    "parse_fields",
]
