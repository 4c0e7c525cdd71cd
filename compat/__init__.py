"""The blocking face of asyncclient: http.client's interface, names and texts, run by the same engine.

`compat.client` is to be imported in place of `http.client`; nothing in this package decides about bytes on the wire.
"""

__all__: list[str] = []
