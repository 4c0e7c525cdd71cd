"""The fields of a response as an email.message.Message, for programs written for http.client."""

from __future__ import annotations

from collections.abc import Iterable
from email.message import Message


class HTTPMessage(Message):
    """The fields of a head (`HTTPResponse.msg`): a Message without payload.

    It is built from the parsed pairs, because the parser of the email package is slow (decision 54).
    """

    def getallmatchingheaders(self, name: str) -> list[str]:
        """Return the lines of all fields of that name, as http.client does."""
        return [f"{key}: {value}" for key, value in self.items() if key.lower() == name.lower()]


def build_message(pairs: Iterable[tuple[str, str]]) -> HTTPMessage:
    """Return the pairs as an HTTPMessage."""
    message = HTTPMessage()
    for name, value in pairs:
        message.set_raw(name, value)
    message.set_payload("")
    return message
