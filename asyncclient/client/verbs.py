"""The methods of both clients that are named after a method of HTTP."""

from __future__ import annotations

from typing import Protocol, TypeVar, Unpack

from .request import Options

Result = TypeVar("Result", covariant=True)


class HasRequest(Protocol[Result]):
    """A client: its request() returns a response, or the awaitable of one."""

    def request(self, method: str, url: str, **options: Unpack[Options]) -> Result:
        """Send a request."""
        ...


class Verbs:
    """Base of both clients. Each method returns what request() of the client returns for the method of that name."""

    def get(self: HasRequest[Result], url: str, **options: Unpack[Options]) -> Result:
        """GET a URL and read the response; the options are those of Request."""
        return self.request("GET", url, **options)

    def head(self: HasRequest[Result], url: str, **options: Unpack[Options]) -> Result:
        """HEAD: as GET, but the response has no content; the options are those of Request."""
        return self.request("HEAD", url, **options)

    def options(self: HasRequest[Result], url: str, **options: Unpack[Options]) -> Result:
        """OPTIONS: ask which methods a URL supports; the options are those of Request."""
        return self.request("OPTIONS", url, **options)

    def post(self: HasRequest[Result], url: str, **options: Unpack[Options]) -> Result:
        """POST a body, a form or JSON to a URL; the options are those of Request."""
        return self.request("POST", url, **options)

    def put(self: HasRequest[Result], url: str, **options: Unpack[Options]) -> Result:
        """PUT a body to a URL; the options are those of Request."""
        return self.request("PUT", url, **options)

    def patch(self: HasRequest[Result], url: str, **options: Unpack[Options]) -> Result:
        """PATCH the resource at a URL; the options are those of Request."""
        return self.request("PATCH", url, **options)

    def delete(self: HasRequest[Result], url: str, **options: Unpack[Options]) -> Result:
        """DELETE the resource at a URL; the options are those of Request."""
        return self.request("DELETE", url, **options)
