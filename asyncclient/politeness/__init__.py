"""Politeness: a transport that asks each host no more often than its rules allow.

>>> from asyncclient import Client, PoolTransport
>>> from asyncclient.politeness import Polite, Rules
>>> client = Client(transport=Polite(PoolTransport(), Rules(rate=1, connections=2)))
"""

from .clock import Clock
from .errors import CircuitOpen, HostResting, RobotsDisallowed
from .robots import Robots
from .rules import Rules
from .schedule import PoliteStats
from .transport import HostState, Polite

__all__ = [
    "CircuitOpen",
    "Clock",
    "HostResting",
    "HostState",
    "Polite",
    "PoliteStats",
    "Robots",
    "RobotsDisallowed",
    "Rules",
]
