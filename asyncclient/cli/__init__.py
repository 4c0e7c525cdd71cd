"""The command line: `asyncclient`, and `python -m asyncclient`."""

from .dispatch import main

__all__ = ["main"]
