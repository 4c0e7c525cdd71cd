"""A crawl over many machines: dask's workers fetch, and one process has the frontier.

>>> from asyncclient.contrib.dask import ClusterCrawler
"""

from __future__ import annotations

try:
    import distributed as _distributed
except ImportError as error:
    raise ImportError(
        "a crawl over many machines needs dask: install asyncclient-http[dask]", name="distributed"
    ) from error

from .crawler import ClusterCrawler
from .crew import WorkerLost
from .page import RemotePage

__all__ = ["ClusterCrawler", "RemotePage", "WorkerLost"]

del _distributed
