"""Sinks: where a crawl writes its pages."""

from .sink import Sink

__all__ = ["Sink"]
