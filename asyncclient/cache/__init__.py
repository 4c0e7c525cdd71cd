"""An HTTP cache (RFC 9111): a transport that answers from stored responses.

>>> from asyncclient import Client, PoolTransport
>>> from asyncclient.cache import CacheTransport
>>> client = Client(transport=CacheTransport(PoolTransport()))
"""

from .entry import Entry
from .sqlite import SQLiteStore
from .store import MemoryStore, Store
from .transport import CacheStats, CacheTransport

__all__ = ["CacheStats", "CacheTransport", "Entry", "MemoryStore", "SQLiteStore", "Store"]
