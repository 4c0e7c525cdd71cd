"""The fields of a response as http.client shows them: a message that is made when somebody first looks at it."""

from __future__ import annotations

import http.client as std
from typing import Any

from .message import HTTPMessage, build_message


class ResponseFields:
    """Part of HTTPResponse: what the head says."""

    status: Any
    url: str

    _section: bytes | None = None
    _headers: Any = None
    _msg: Any = None

    @property
    def headers(self) -> Any:
        """The fields as an HTTPMessage; None before begin()."""
        if self._headers is None and self._section is not None:
            self._headers = build_message(self._section, HTTPMessage)
        return self._headers

    @headers.setter
    def headers(self, value: Any) -> None:
        self._headers = value

    @property
    def msg(self) -> Any:
        """The same as `headers`, unless something else was put here, as urllib does."""
        return self.headers if self._msg is None else self._msg

    @msg.setter
    def msg(self, value: Any) -> None:
        self._msg = value

    def getheader(self, name: str, default: Any = None) -> Any:
        """Return the value of a field, all of that name joined by ", "; the default if there is none."""
        if self.headers is None:
            raise std.ResponseNotReady
        found = self.headers.get_all(name) or default
        return found if isinstance(found, str) or not hasattr(found, "__iter__") else ", ".join(found)

    def getheaders(self) -> list[tuple[str, str]]:
        """Return all fields as pairs (name, value)."""
        if self.headers is None:
            raise std.ResponseNotReady
        return list(self.headers.items())

    def info(self) -> Any:
        """Return the fields; an old name of urllib's."""
        return self.headers

    def geturl(self) -> str:
        """Return the URL, where urllib has set it."""
        url: str = self.url
        return url

    def getcode(self) -> int:
        """Return the status code."""
        code: int = self.status
        return code
