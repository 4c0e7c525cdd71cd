"""Proxies: which one a request goes through, and authentication to it."""
