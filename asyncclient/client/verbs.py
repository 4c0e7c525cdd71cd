"""The methods of both clients that are named after a method of HTTP."""

from __future__ import annotations

from typing import Protocol, TypeVar, Unpack

from .request import Options

Result_co = TypeVar("Result_co", covariant=True)


class HasRequest(Protocol[Result_co]):
    """A client: its request() returns a response, or the awaitable of one."""

    def request(self, method: str, url: str, **options: Unpack[Options]) -> Result_co:
        """Send a request."""
        ...


class Verbs:
    """Base of both clients. Each method returns what request() of the client returns for the method of that name."""

    def get(self: HasRequest[Result_co], url: str, **options: Unpack[Options]) -> Result_co:
        """GET a URL and read the response; see request()."""
        return self.request("GET", url, **options)

    def head(self: HasRequest[Result_co], url: str, **options: Unpack[Options]) -> Result_co:
        """HEAD: as GET, but the response has no content; see request()."""
        return self.request("HEAD", url, **options)

    def options(self: HasRequest[Result_co], url: str, **options: Unpack[Options]) -> Result_co:
        """OPTIONS: ask which methods a URL supports; see request()."""
        return self.request("OPTIONS", url, **options)

    def post(self: HasRequest[Result_co], url: str, **options: Unpack[Options]) -> Result_co:
        """POST a body, a form or JSON to a URL; see request()."""
        return self.request("POST", url, **options)

    def put(self: HasRequest[Result_co], url: str, **options: Unpack[Options]) -> Result_co:
        """PUT a body to a URL; see request()."""
        return self.request("PUT", url, **options)

    def patch(self: HasRequest[Result_co], url: str, **options: Unpack[Options]) -> Result_co:
        """PATCH the resource at a URL; see request()."""
        return self.request("PATCH", url, **options)

    def delete(self: HasRequest[Result_co], url: str, **options: Unpack[Options]) -> Result_co:
        """DELETE the resource at a URL; see request()."""
        return self.request("DELETE", url, **options)
