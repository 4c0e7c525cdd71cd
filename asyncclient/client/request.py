"""A request as stated by its caller."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypedDict, Unpack, cast

from ..arguments import check_number, check_type
from ..errors import clip
from ..exchange.send import TrailerFields, Trailers
from ..message.fields import HasItems, HeaderValue, Pairs, list_pairs
from ..message.target import show
from ..message.url import BLANKS, Params, add_params, strip_url
from ..missing import answers
from ..timeouts import Timeout
from .body.arguments import UNSET, Payload, Unset, build_payload
from .body.content_fields import CONTENT_FIELDS, ContentFields
from .cookies.jar import NamedCookies, list_cookies

if TYPE_CHECKING:
    from .auth.schemes import AuthLike


Headers = Mapping[str, HeaderValue | None] | HasItems | Iterable[tuple[str | bytes, HeaderValue | None]]
"""Fields of a request, or of all requests of a client; None removes a field of the client."""

TrailerFunction = Callable[[], TrailerFields]

Coding = Literal["gzip", "deflate", "zstd", "br"]
"""A content coding that a body can be compressed with."""

Progress = Callable[[int, int | None], object]
"""Called with the bytes so far, and their number in all (None: unknown)."""


NO_FIELDS: Final[Pairs] = []

_STANDARD: Final = {name: name for name in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")}


def as_text(name: str | bytes) -> str:
    """Return the name of a field as str.

    Raises:
        TypeError: the name is neither str nor bytes.
    """
    if isinstance(name, str):
        return name
    if isinstance(name, bytes):
        return name.decode("latin-1")
    raise TypeError(f"expected str or bytes as header name, got {type(name).__name__}")


def spell_method(method: str) -> str:
    """Return the method to send: standard methods are upper-cased, others are case-sensitive and kept (RFC 9110 §9.1).

    Raises:
        TypeError: it is not a str.
    """
    if not isinstance(method, str):
        raise TypeError(f"expected str as method, got {type(method).__name__}")
    return method if method.isupper() else _STANDARD.get(method.upper(), method)


def _check_method(method: str) -> str:
    method = spell_method(method)
    if method.upper() == "CONNECT":
        raise ValueError("CONNECT opens tunnels, which proxy= and HTTPConnection.set_tunnel() do")
    return method


class Choices(NamedTuple):
    """The options of a single request that also apply after redirects; see Request."""

    auth: AuthLike | Unset | None = UNSET
    cookies: Mapping[str, str] | None = None
    timeout: float | Timeout | Unset | None = UNSET
    follow_redirects: bool | None = None
    decode: bool = True
    max_body_size: int | Unset | None = UNSET
    expect_continue: bool = False
    trailers: Pairs | TrailerFunction | None = None
    needs_tunnel: bool = False  # set by websocket(): a proxy opens a tunnel for http URLs, too


class ChoiceOptions(TypedDict, total=False):
    """The fields of Choices, as keyword arguments."""

    auth: AuthLike | Unset | None
    cookies: NamedCookies | None
    timeout: float | Timeout | Unset | None
    follow_redirects: bool | None
    decode: bool
    max_body_size: int | Unset | None
    expect_continue: bool
    trailers: Trailers | None


class DownloadOptions(ChoiceOptions, total=False):
    """The keyword arguments of Request without `progress`, which a download has for the received content."""

    params: Params | None
    headers: Headers | None
    body: Any
    json: Any
    data: Any
    files: Any
    compress: Coding | None


class Options(DownloadOptions, total=False):
    """All keyword arguments of Request."""

    progress: Progress | None


REQUEST_OPTIONS: Final = frozenset(Options.__annotations__)
"""Names of the options of a request."""

CLIENT_OPTIONS: Final[set[str]] = set()
"""Names of the arguments of Client, which adds them, for errors about options of requests."""

USUAL: Final = Choices()
"""The defaults: the client's settings apply."""


@answers(dict.fromkeys(("body", "content", "data"), "payload, the body as it is sent"))
class Request:
    """A request to be sent by a client, any number of times if its body allows that.

    Args:
        method: the method; a standard one is upper-cased.
        url: absolute, or relative to the client's base_url.
        params: added to the query: a mapping or pairs, whose values may be lists; or a str that is encoded already.
        headers: a mapping or pairs. They replace the client's fields of the same name; None removes such a field.
        cookies: sent in addition to the client's, to this origin only: a mapping or pairs, with values as in `params`.
        body: bytes, str (sent as UTF-8), a file, a path, an iterable or async iterable of bytes, or a function that
            returns one of these for each time the request is sent.
        json: a value to send as JSON.
        data: a form: a mapping or pairs. Together with files, the other fields of a multipart form.
        files: parts of a multipart form: name to content, (filename, content) or (filename, content, type). An empty
            collection makes `data` a multipart form.
        compress: "gzip", "deflate", "zstd" or "br": compress the body, and declare it by Content-Encoding. The server
            must be known to accept that.
        progress: called after each write with the bytes of the body so far, before they are compressed, and its length
            (None: unknown); from the beginning again if the body is sent again.
        auth: (user, password), an Auth, or a function; None sends no credentials, not even the client's.
        timeout: a Timeout, or seconds in total; None for no limits.
        follow_redirects: True or False; None uses the client's setting.
        decode: decode the Content-Encoding.
        max_body_size: limit of the response's content in bytes, encoded and decoded; None for no limit.
        expect_continue: wait for 100 Continue before sending the body (RFC 9110 §10.1.1).
        trailers: fields to send after the body, or a function that returns them after the body was sent.

    A copy has the same body. A pickle has the body only if it is in memory, and neither `auth` nor functions.

    Attributes:
        headers: pairs.
        payload: the body; None if there is none.
        choices: the other options.

    Raises:
        ValueError, TypeError: a value that can't be sent.
    """

    __slots__ = ("choices", "headers", "method", "payload", "url")

    def __init__(
        self,
        method: str,
        url: str,
        *,
        params: Params | None = None,
        headers: Headers | None = None,
        body: Any = None,
        json: Any = UNSET,
        data: Any = None,
        files: Any = None,
        encode_json: Callable[[Any], str | bytes] | None = None,
        compress: Coding | None = None,
        progress: Progress | None = None,
        **choices: Unpack[ChoiceOptions],
    ) -> None:
        self.method = method if type(method) is str and method in _STANDARD else _check_method(method)
        url = url.strip(BLANKS) if type(url) is str else strip_url(url)
        self.url = url if params is None else add_params(url, params)
        self.headers = NO_FIELDS if headers is None else [(as_text(name), value) for name, value in list_pairs(headers)]
        fields = None
        if self.headers:
            names = {name.lower() for name, _ in self.headers}
            if "expect" in names and self._take_expectation():
                choices["expect_continue"] = True
            fields = None if CONTENT_FIELDS.isdisjoint(names) else ContentFields(self.headers)
        self.payload: Payload | None = None
        if body is not None or json is not UNSET or data is not None or files is not None:
            self.payload = payload = build_payload(
                body=body, json=json, data=data, files=files, encode_json=encode_json, fields=fields
            )
            if files is not None and fields is not None and payload is not None and payload.content_type is not None:
                self.headers = fields.add_boundary(self.headers, payload.content_type)
        self.choices = _choose(choices) if choices else USUAL  # before the next: an unknown option may be the body
        if compress is not None or progress is not None:
            self._change_payload(compress, progress)
        if self.choices.trailers is not None and self.payload is None:
            raise ValueError("trailers can only follow content, and there is none")

    def _change_payload(self, compress: Coding | None, progress: Progress | None) -> None:
        if self.payload is None:
            if compress is not None:
                raise ValueError("expected a body with compress, got none")
            raise ValueError("expected a body with progress, got none; download() has a progress of its own")
        if progress is not None:
            if not callable(progress):
                raise TypeError(f"expected a function as progress, got {type(progress).__name__}")
            from .body.reported import ReportedPayload  # imported on use, as the next one: few requests need them

            self.payload = ReportedPayload(self.payload, progress)
        if compress is not None:
            from .body.compressed import check_coding, compress_payload, declare_coding

            check_coding(compress)
            self.headers = declare_coding(self.headers, compress)
            self.payload = compress_payload(self.payload, compress)

    def _take_expectation(self) -> bool:
        """Remove Expect from the fields; return True if it asks for 100 Continue, as expect_continue=True does."""
        expected = [value for name, value in self.headers if name.lower() == "expect" and value is not None]
        self.headers = [pair for pair in self.headers if pair[0].lower() != "expect"]
        for value in expected:
            text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
            if text.strip(" \t").lower() != "100-continue":
                raise ValueError(f"expected 100-continue as Expect, got {clip(value)}")
        return bool(expected)

    def replace(
        self,
        *,
        method: str | None = None,
        url: str | None = None,
        headers: Headers = (),
        **choices: Unpack[ChoiceOptions],
    ) -> Request:
        """Return a request with changes and the same body, for a middleware.

        Args:
            method: another method.
            url: another absolute URL.
            headers: they replace the fields of the same names; None removes such a field of the client.
            choices: as for Request; the others are kept.

        Raises:
            ValueError, TypeError: a value that can't be sent; or Expect, which is `expect_continue`.
        """
        given = [(as_text(name), value) for name, value in list_pairs(headers)]
        names = {name.lower() for name, _ in given}
        if "expect" in names:
            raise ValueError("expected no Expect in headers: give expect_continue=True")
        kept = [pair for pair in self.headers if pair[0].lower() not in names]
        new = self.choices
        if choices:
            checked = _choose(choices)
            new = new._replace(**{name: getattr(checked, name) for name in choices})
        return build_derived(
            self.method if method is None else _check_method(method),
            self.url if url is None else strip_url(url),
            [*kept, *given],
            self.payload,
            new,
        )

    def __copy__(self) -> Request:
        return build_derived(self.method, self.url, self.headers, self.payload, self.choices)

    def __deepcopy__(self, memo: dict[int, Any]) -> Request:
        return build_derived(self.method, self.url, [*self.headers], self.payload, self.choices)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the request without `auth` and functions, and without a body that is not in memory.

        A request that had one of these raises BodyNotReplayable or ValueError when the unpickled request is sent.
        """
        payload = None if self.payload is None else self.payload.store()
        return _restore, (self.method, self.url, self.headers, payload, _store(self.choices))

    def __repr__(self) -> str:
        return f"<Request {self.method} {show(self.url)}>"


def build_derived(method: str, url: str, headers: Pairs, payload: Payload | None, choices: Choices) -> Request:
    """Return a request from checked parts of another request: a copy, or the request after a redirect."""
    request = Request.__new__(Request)
    request.method, request.url = method, url
    request.headers, request.payload, request.choices = headers, payload, choices
    return request


def _choose(options: ChoiceOptions) -> Choices:
    trailers, cookies = options.get("trailers"), options.get("cookies")
    if cookies is not None:
        options["cookies"] = list_cookies(cookies)
    if trailers is not None and not callable(trailers):
        # As a list: an iterator would be exhausted the second time.
        options["trailers"] = list_pairs(trailers, "trailers") or None
    try:
        choices = Choices(**cast(Any, options))
    except TypeError:
        from .unknown_options import explain_request_option  # imported on use: for errors only

        unknown = next(name for name in options if name not in REQUEST_OPTIONS)
        raise explain_request_option(unknown, REQUEST_OPTIONS, CLIENT_OPTIONS - REQUEST_OPTIONS) from None
    _check_choices(choices)
    return choices


def _check_choices(choices: Choices) -> None:
    """Refuse invalid values now instead of when the request is in progress."""
    check_type("follow_redirects", choices.follow_redirects, int | None, "True, False or None")
    check_type("decode", choices.decode, int, "True or False")
    check_type("expect_continue", choices.expect_continue, int, "True or False")
    size, timeout = choices.max_body_size, choices.timeout
    if not (size is None or isinstance(size, Unset)):
        check_number("max_body_size", size, 0)
    if not (timeout is None or isinstance(timeout, Unset | Timeout)):
        check_timeout(timeout)


def check_timeout(value: Any) -> None:
    """Check the seconds given as timeout of a client or a request.

    Raises:
        TypeError: the value has another type, for example the pair of requests.
        ValueError: it is below 0.
    """
    if isinstance(value, tuple | list):
        raise TypeError(
            f"expected seconds or a Timeout as timeout, got {clip(value)}: use Timeout(connect=..., read=...)"
        )
    check_number("timeout", value, 0, "seconds, a Timeout or None")


def _restore(method: str, url: str, headers: Pairs, payload: Payload | None, choices: tuple[Any, ...]) -> Request:
    """Return an unpickled request; USUAL is reused, because code compares it by identity."""
    restored = Choices(*choices)
    return build_derived(method, url, headers, payload, USUAL if restored == USUAL else restored)


def _store(choices: Choices) -> tuple[Any, ...]:
    """Return the options for a pickle: without credentials and functions, most of which can't be pickled."""
    auth, cookies, trailers = choices.auth, choices.cookies, choices.trailers
    return choices._replace(
        auth=auth if auth is None or isinstance(auth, Unset) else _refuse_auth,
        cookies=None if cookies is None else dict(cookies),
        trailers=_refuse_trailers if callable(trailers) else trailers,
    )[:]


def _refuse_auth(request: object) -> None:
    raise ValueError("auth is not kept in a pickle of a request: give it to the client that sends the request")


def _refuse_trailers() -> TrailerFields:
    raise ValueError("a function as trailers is not kept in a pickle of a request")
