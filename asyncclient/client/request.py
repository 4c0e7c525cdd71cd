"""A request as its caller states it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypedDict, Unpack, cast

from ..arguments import check_number, check_type
from ..errors import clip
from ..exchange.send import TrailerFields, Trailers
from ..message.fields import HasItems, list_pairs
from ..message.target import show
from ..message.url import BLANKS, add_params, strip_url
from ..timeouts import Timeout
from .body.arguments import UNSET, Payload, Unset, build_payload
from .body.content_fields import CONTENT_FIELDS, ContentFields
from .body.payload import store_payload
from .cookies.jar import NamedCookies, list_cookies

if TYPE_CHECKING:
    from .auth.schemes import AuthLike


HeaderValue = str | bytes | int | None
Headers = Mapping[str, HeaderValue] | HasItems | Iterable[tuple[str | bytes, HeaderValue]]
Params = str | Mapping[str, Any] | Iterable[tuple[str, Any]]
Pairs = list[tuple[str, Any]]
TrailerFunction = Callable[[], TrailerFields]


NO_FIELDS: Final[Pairs] = []

_STANDARD: Final = {name: name for name in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")}


def as_text(name: str | bytes) -> str:
    """Return the name of a field as str.

    Raises:
        TypeError: it is neither str nor bytes.
    """
    if isinstance(name, str):
        return name
    if isinstance(name, bytes):
        return name.decode("latin-1")
    raise TypeError(f"expected str or bytes as header name, got {type(name).__name__}")


def spell_method(method: str) -> str:
    """Return a method as it goes out: they count in their case (RFC 9110 §9.1), but a standard one is in upper case.

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
    """What may be chosen for a single request, and stays with it wherever redirects lead; see Request."""

    auth: AuthLike | Unset | None = UNSET
    cookies: Mapping[str, str] | None = None
    timeout: float | Timeout | Unset | None = UNSET
    follow_redirects: bool | None = None
    decode: bool = True
    max_body_size: int | Unset | None = UNSET
    expect_continue: bool = False
    trailers: Pairs | TrailerFunction | None = None


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


class Options(ChoiceOptions, total=False):
    """All keyword arguments of Request."""

    params: Params | None
    headers: Headers | None
    body: Any
    json: Any
    data: Any
    files: Any


REQUEST_OPTIONS: Final = frozenset(Options.__annotations__)
"""Names of the options of a request."""

CLIENT_OPTIONS: Final[set[str]] = set()
"""Names of the arguments of Client, which puts them here, for errors of requests to know them."""

USUAL: Final = Choices()
"""Nothing chosen: all goes by the client's settings."""


class Request:
    """A request to be sent by a client, any number of times if its body allows that.

    Args:
        method: as it goes out; a standard one is put in upper case.
        url: absolute, or relative to the client's base_url.
        params: added to the query: a mapping or pairs, values may be lists; or a str that is encoded already.
        headers: a mapping or pairs; they replace the client's fields of the same name, None as a value takes one away.
        cookies: sent besides the client's, to this origin only: a mapping or pairs, values as in `params`.
        body: bytes, str (sent as UTF-8), a file, a path, an iterable or async iterable of bytes, or a function that
            returns one of these for each sending.
        json: a value to send as JSON.
        data: a form: a mapping or pairs. With files, the other fields of a multipart form.
        files: parts of a multipart form: name to content, (filename, content) or (filename, content, type); with an
            empty collection `data` goes in such a form by itself.
        auth: (user, password), an Auth, or a function; None sends none, not even the client's.
        timeout: a Timeout, or seconds for everything together; None is for ever.
        follow_redirects: True or False; None does as the client does.
        decode: undo Content-Encoding.
        max_body_size: bytes that the content of the response may have, as it comes and decoded; None is any number.
        expect_continue: wait for 100 Continue before sending the body (RFC 9110 §10.1.1).
        trailers: fields to send after the body, or a function that returns them once the body has been sent.

    A copy has the same body. A pickle has the body only if its bytes are at hand, and neither `auth` nor functions.

    Attributes:
        headers: pairs.
        payload: the body, None if there is none.
        choices: the other options.

    Raises:
        ValueError, TypeError: what can't be sent.
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
        self.choices = _choose(choices) if choices else USUAL
        if self.choices.trailers is not None and self.payload is None:
            raise ValueError("trailers can only follow content, and there is none")

    def _take_expectation(self) -> bool:
        """Take Expect out of the fields; return whether it asks for 100 Continue, as expect_continue=True does."""
        expected = [value for name, value in self.headers if name.lower() == "expect" and value is not None]
        self.headers = [pair for pair in self.headers if pair[0].lower() != "expect"]
        for value in expected:
            text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
            if text.strip(" \t").lower() != "100-continue":
                raise ValueError(f"expected 100-continue as Expect, got {clip(value)}")
        return bool(expected)

    def __copy__(self) -> Request:
        return build_derived(self.method, self.url, self.headers, self.payload, self.choices)

    def __deepcopy__(self, memo: dict[int, Any]) -> Request:
        return build_derived(self.method, self.url, [*self.headers], self.payload, self.choices)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what the request says. A body that is not at hand, `auth` and functions are not in a pickle.

        A request that had one of these raises BodyNotReplayable, or ValueError, when it is sent after that.
        """
        payload = None if self.payload is None else store_payload(self.payload)
        return _restore, (self.method, self.url, self.headers, payload, _store(self.choices))

    def __repr__(self) -> str:
        return f"<Request {self.method} {show(self.url)}>"


def build_derived(method: str, url: str, headers: Pairs, payload: Payload | None, choices: Choices) -> Request:
    """Return a request made of checked parts of another: a copy, or the request that a redirect leads to."""
    request = Request.__new__(Request)
    request.method, request.url = method, url
    request.headers, request.payload, request.choices = headers, payload, choices
    return request


def _choose(options: ChoiceOptions) -> Choices:
    trailers, cookies = options.get("trailers"), options.get("cookies")
    if cookies is not None:
        options["cookies"] = list_cookies(cookies)
    if trailers is not None and not callable(trailers):
        # An iterator would be at its end the next time.
        options["trailers"] = list_pairs(trailers, "trailers") or None
    try:
        choices = Choices(**cast(Any, options))
    except TypeError:
        from .unknown_options import explain_request_option  # only here: no program that is right needs it

        unknown = next(name for name in options if name not in REQUEST_OPTIONS)
        raise explain_request_option(unknown, REQUEST_OPTIONS, CLIENT_OPTIONS - REQUEST_OPTIONS) from None
    _check_choices(choices)
    return choices


def _check_choices(choices: Choices) -> None:
    """Refuse values that would be taken for something else, or come out only when the request is under way."""
    check_type("follow_redirects", choices.follow_redirects, int | None, "True, False or None")
    check_type("decode", choices.decode, int, "True or False")
    check_type("expect_continue", choices.expect_continue, int, "True or False")
    size, timeout = choices.max_body_size, choices.timeout
    if not (size is None or isinstance(size, Unset)):
        check_number("max_body_size", size, 0)
    if not (timeout is None or isinstance(timeout, Unset | Timeout)):
        check_timeout(timeout)


def check_timeout(value: Any) -> None:
    """Let seconds pass, as the timeout of a client or a request.

    Raises:
        TypeError: it is something else, such as the pair that requests takes.
        ValueError: it is below 0.
    """
    if isinstance(value, tuple | list):
        raise TypeError(
            f"expected seconds or a Timeout as timeout, got {clip(value)}: use Timeout(connect=..., read=...)"
        )
    check_number("timeout", value, 0, "seconds, a Timeout or None")


def _restore(method: str, url: str, headers: Pairs, payload: Payload | None, choices: tuple[Any, ...]) -> Request:
    """Return a request that was pickled; most of them were made with the usual choices."""
    made = Choices(*choices)
    return build_derived(method, url, headers, payload, USUAL if made == USUAL else made)


def _store(choices: Choices) -> tuple[Any, ...]:
    """Return choices for a pickle: credentials do not belong there, and most functions cannot be pickled."""
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
