"""The methods of both clients that are named after a method of HTTP."""

from __future__ import annotations

from typing import Protocol, TypeVar, Unpack

from .option_docs import lists_options
from .request import Options

Result = TypeVar("Result", covariant=True)


class HasRequest(Protocol[Result]):
    """A client: its request() returns a response, or the awaitable of one."""

    def request(self, method: str, url: str, **options: Unpack[Options]) -> Result:
        """Send a request."""
        ...


class Verbs:
    """Base of both clients. Each method returns what request() of the client returns for the method of that name."""

    @lists_options
    def get(self: HasRequest[Result], url: str, **options: Unpack[Options]) -> Result:
        """GET a URL, and return the Response with its content read.

        With the client for asyncio the call is awaited: `response = await client.get(url)`.

        Raises: see request(). An error status is not an exception unless `response.raise_for_status()` is called.
        """
        return self.request("GET", url, **options)

    @lists_options
    def head(self: HasRequest[Result], url: str, **options: Unpack[Options]) -> Result:
        """HEAD: as GET, but the response has no content."""
        return self.request("HEAD", url, **options)

    @lists_options
    def options(self: HasRequest[Result], url: str, **options: Unpack[Options]) -> Result:
        """OPTIONS: ask which methods a URL supports."""
        return self.request("OPTIONS", url, **options)

    @lists_options
    def post(self: HasRequest[Result], url: str, **options: Unpack[Options]) -> Result:
        """POST a body, a form or JSON to a URL."""
        return self.request("POST", url, **options)

    @lists_options
    def put(self: HasRequest[Result], url: str, **options: Unpack[Options]) -> Result:
        """PUT a body to a URL."""
        return self.request("PUT", url, **options)

    @lists_options
    def patch(self: HasRequest[Result], url: str, **options: Unpack[Options]) -> Result:
        """PATCH the resource at a URL."""
        return self.request("PATCH", url, **options)

    @lists_options
    def delete(self: HasRequest[Result], url: str, **options: Unpack[Options]) -> Result:
        """DELETE the resource at a URL."""
        return self.request("DELETE", url, **options)
