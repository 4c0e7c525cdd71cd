"""MockTransport with routes: which requests they match, how they answer, and what is told about the others."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import compat
from asyncclient import BodyNotReplayable, Client, ConnectError, Fields, InvalidURL, LocalResponse, Retry
from asyncclient.testing import Call, MockTransport, SentRequest, UnexpectedRequest, build_response

API = "https://api.example.com"


@pytest.fixture
def mock() -> MockTransport:
    return MockTransport()


async def is_matched(mock: MockTransport, method: str, url: str, **options: Any) -> bool:
    async with Client(transport=mock) as client:
        try:
            await client.request(method, url, **options)
        except UnexpectedRequest:
            return False
    return True


# Patterns


@pytest.mark.parametrize(
    ("pattern", "url", "matches"),
    [
        (f"{API}/a", f"{API}/a", True),
        (f"{API}/a", f"{API}/a/", False),
        (f"{API}/a", f"{API}/ab", False),
        (f"{API}:443/a#part", f"{API}/a", True),
        ("https://API.example.com/ä", f"{API}/%C3%A4", True),
        (f"{API}/a", f"{API}/a?x=1", False),
        (f"{API}/a?x=1&y=2", f"{API}/a?y=2&x=1", True),
        (f"{API}/a?x=1", f"{API}/a?x=1&y=2", False),
        (f"{API}/a?x=1", f"{API}/a", False),
        (f"{API}/*", f"{API}/a/b?x=1", True),
        (f"{API}/a*", f"{API}/b", False),
        (f"{API}/items/{{id}}", f"{API}/items/7", True),
        (f"{API}/items/{{id}}", f"{API}/items/7/parts", False),
        (f"{API}/items/{{id}}/*", f"{API}/items/7/parts?x=1", True),
        ("https://{tenant}.example.com/", "https://a.example.com/", True),
        (f"{API}/v1.0", f"{API}/v1x0", False),
        (re.compile(r".*/a\?x=[0-9]+"), f"{API}/a?x=12", True),
        (re.compile(r".*/a"), f"{API}/a?x=12", False),
        (None, "http://anything.example/a?b", True),
    ],
)
async def test_a_url_matches_as_a_whole(mock: MockTransport, pattern: Any, url: str, matches: bool) -> None:
    mock.get(pattern)
    assert await is_matched(mock, "GET", url) is matches


async def test_parts_of_the_url_in_braces_are_given_to_the_function(mock: MockTransport) -> None:
    seen: list[SentRequest] = []

    def answer(sent: SentRequest) -> LocalResponse:
        seen.append(sent)
        return build_response(json=dict(sent.path_params))

    mock.get("https://{tenant}.example.com/items/{item_id}/*").respond(answer)
    mock.get(re.compile(rf"{API}/users/(?P<user>\w+)")).respond(answer)
    async with Client(transport=mock) as client:
        response = await client.get("https://a.example.com/items/x%20y/parts", params={"page": 2})
        assert response.json() == {"tenant": "a", "item_id": "x y"}
        assert (await client.get(f"{API}/users/ada")).json() == {"user": "ada"}
    assert seen[0].params == [("page", "2")]
    assert mock.calls[0].request.path_params["item_id"] == "x y"


@pytest.mark.parametrize(
    ("conditions", "options", "matches"),
    [
        ({"params": {"page": 2}}, {"params": {"page": "2", "size": 5}}, True),
        ({"params": {"page": 2}}, {"params": {"page": 3}}, False),
        ({"params": {"tag": ["a", "b"]}}, {"params": {"tag": ["b", "a"]}}, True),
        ({"params": {"tag": ["a", "a"]}}, {"params": {"tag": "a"}}, False),
        ({"params": "a=1&b=%20"}, {"params": {"b": " ", "a": 1}}, True),
        ({"params": {}}, {"params": {"any": 1}}, True),
        ({"headers": {"x-key": "7"}}, {"headers": {"X-Key": "7", "X-Other": "1"}}, True),
        ({"headers": {"X-Key": "7"}}, {"headers": {"X-Key": "8"}}, False),
        ({"headers": {"X-Key": "7"}}, {}, False),
        ({"headers": [("Authorization", re.compile("Bearer .+"))]}, {"headers": {"Authorization": "Bearer x"}}, True),
        ({"headers": {"X-Key": re.compile("[0-9]")}}, {"headers": {"X-Key": "17"}}, False),
        ({"headers": {"X-Key": None}}, {}, True),
        ({"headers": {"X-Key": None}}, {"headers": {"X-Key": "7"}}, False),
        ({"json": {"a": [1, None]}}, {"json": {"a": [1, None]}}, True),
        ({"json": None}, {"json": None}, True),
        ({"json": None}, {"body": "text"}, False),
        ({"data": {"a": "1", "b": ["x", "y"]}}, {"data": [("b", "y"), ("a", "1"), ("b", "x")]}, True),
        ({"data": {"a": "1"}}, {"data": {"a": "1", "b": "2"}}, False),
        ({"content": "ä"}, {"body": "ä".encode()}, True),
        ({"content": b"abc"}, {"body": b"abcd"}, False),
        ({"content": re.compile(b"b.d")}, {"body": b"abcde"}, True),
        ({"where": lambda sent: len(sent.content) > 2}, {"body": b"abc"}, True),
        ({"where": lambda sent: sent.text == "no"}, {"body": b"abc"}, False),
    ],
)
async def test_all_conditions_must_be_met(
    mock: MockTransport, conditions: dict[str, Any], options: dict[str, Any], matches: bool
) -> None:
    mock.post(f"{API}/", **conditions)
    assert await is_matched(mock, "POST", f"{API}/", **options) is matches


async def test_each_method_has_a_verb(mock: MockTransport) -> None:
    adding = (mock.get, mock.head, mock.options, mock.post, mock.put, mock.patch, mock.delete)
    routes = [add(f"{API}/{add.__name__}") for add in adding]
    routes.append(mock.route("PURGE", f"{API}/purge"))
    async with Client(transport=mock) as client:
        for add in adding:
            assert (await client.request(add.__name__, f"{API}/{add.__name__}")).status == 200
        await client.request("PURGE", f"{API}/purge")
    assert [len(route.calls) for route in routes] == [1] * 8


async def test_the_first_route_that_matches_answers(mock: MockTransport) -> None:
    mock.get(f"{API}/a").respond(201)
    mock.route(url=f"{API}/*").respond(202)
    async with Client(transport=mock) as client:
        assert [(await client.get(f"{API}/{path}")).status for path in "ab"] == [201, 202]


# Answers


async def test_a_response_in_a_word(mock: MockTransport, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(b"a,b")

    async def stream() -> AsyncIterator[bytes]:
        yield b"in "
        yield b"pieces"

    mock.get(f"{API}/json").respond(json={"name": "lamp", "price": None}, headers={"X-A": "1"})
    mock.get(f"{API}/text").respond(status=404, text="nö", reason="Gone Fishing")
    mock.get(f"{API}/html").respond(html="<p>")
    mock.get(f"{API}/file").respond(file=tmp_path / "table.csv")
    mock.get(f"{API}/content").respond(content=b"\x00", headers={"Content-Type": "image/x"})
    mock.get(f"{API}/stream").respond(lambda _: build_response(content=stream(), trailers={"X-Sum": "9"}))
    mock.delete(f"{API}/json").respond(status=204)
    async with Client(transport=mock) as client:
        response = await client.get(f"{API}/json")
        assert response.json() == {"name": "lamp", "price": None}
        assert response.headers.pairs() == [
            ("X-A", "1"),
            ("Content-Type", "application/json"),
            ("Content-Length", "28"),
        ]
        response = await client.get(f"{API}/text")
        assert (response.status, response.reason, response.text) == (404, "Gone Fishing", "nö")
        assert (await client.get(f"{API}/html")).headers["Content-Type"] == "text/html; charset=utf-8"
        response = await client.get(f"{API}/file")
        assert (response.headers["content-type"], response.content) == ("text/csv", b"a,b")
        assert (await client.get(f"{API}/content")).headers.get_all("Content-Type") == ["image/x"]
        response = await client.get(f"{API}/stream")
        assert (response.text, response.trailers) == ("in pieces", Fields([("X-Sum", "9")]))
        assert (await client.delete(f"{API}/json")).headers.pairs() == []


async def test_an_exception_is_raised_each_time_and_retried_if_the_client_may(mock: MockTransport) -> None:
    error = ConnectError("refused")
    route = mock.get(f"{API}/").raises(error)
    async with Client(transport=mock, retries=Retry(total=2, backoff=0)) as client:
        with pytest.raises(ConnectError) as caught:
            await client.get(f"{API}/")
    assert caught.value is not error
    assert [type(call.error) for call in route.calls] == [ConnectError] * 3
    assert all(call.error and call.error.__traceback__ is None for call in route.calls)


async def test_a_sequence_gives_each_answer_once_and_leaves_the_rest_to_later_routes(mock: MockTransport) -> None:
    mock.get(f"{API}/").sequence(503, ConnectError("reset"), build_response(text="at last"))
    mock.get(f"{API}/").respond(404)
    async with Client(transport=mock, retries=Retry(total=2, backoff=0, budget=None)) as client:
        assert (await client.get(f"{API}/")).text == "at last"
        assert (await client.get(f"{API}/")).status == 404


async def test_a_route_is_used_up_after_its_times(mock: MockTransport) -> None:
    mock.get(f"{API}/", times=2)
    async with Client(transport=mock) as client:
        for _ in range(2):
            await client.get(f"{API}/")
        with pytest.raises(UnexpectedRequest, match=r"GET 'https://api.example.com/' \(used 2 times\)$"):
            await client.get(f"{API}/")


async def test_rules_of_the_client_apply_to_routes(mock: MockTransport) -> None:
    mock.post(f"{API}/login", data={"user": "ada"}).respond(
        status=303, headers={"Location": "/me", "Set-Cookie": "sid=1; Secure"}
    )
    mock.get(f"{API}/me", headers={"Cookie": "sid=1"}).respond(json={"user": "ada"})
    async with Client(transport=mock, base_url=API) as client:
        assert (await client.post("login", data={"user": "ada"})).json() == {"user": "ada"}
    mock.assert_all_called()


async def test_a_body_that_can_be_read_only_once_is_not_sent_again(mock: MockTransport) -> None:
    async def produce() -> AsyncIterator[bytes]:
        yield b"once"

    mock.put(f"{API}/a").respond(status=307, headers={"Location": "/b"})
    async with Client(transport=mock) as client:
        with pytest.raises(BodyNotReplayable):
            await client.put(f"{API}/a", body=produce())
    assert mock.calls[0].request.content == b"once"


# Calls


async def test_an_unexpected_request_names_the_reasons_and_no_secret(mock: MockTransport) -> None:
    mock.get(f"{API}/a")
    mock.post(f"{API}/b")
    mock.post(f"{API}/a?x=1")
    mock.post(f"{API}/a", params={"page": "2"})
    mock.post(f"{API}/a", params={}, headers={"X-Key": "right"})
    mock.post(f"{API}/a", params={}, json={"name": "right"})
    mock.post(f"{API}/a", params={}, data={"name": "right"})
    mock.post(f"{API}/a", params={}, content=b"right")
    mock.post(f"{API}/a", params={}, where=lambda sent: False)
    async with Client(transport=mock, headers={"X-Key": "secret"}, retries=3) as client:
        with pytest.raises(UnexpectedRequest) as caught:
            await client.post(f"{API}/a?token=secret", json={"name": "secret"})
    assert str(caught.value).splitlines() == [
        f"no route matches POST '{API}/a?…'; the routes are:",
        f"  GET '{API}/a' (another method)",
        f"  POST '{API}/b' (another URL)",
        f"  POST '{API}/a?x=1' (another query: ['token', 'x'])",
        f"  POST '{API}/a' (other params: ['page'])",
        f"  POST '{API}/a' (other headers: ['X-Key'])",
        f"  POST '{API}/a' (other JSON)",
        f"  POST '{API}/a' (another form)",
        f"  POST '{API}/a' (other content)",
        f"  POST '{API}/a' (where is not met)",
    ]
    (call,) = mock.calls  # it is not retried
    assert (call.route, call.response, type(call.error)) == (None, None, UnexpectedRequest)
    assert repr(call) == f"<Call POST '{API}/a?…': UnexpectedRequest>"


async def test_a_query_that_differs_is_named_without_values_of_the_request(mock: MockTransport) -> None:
    mock.get(f"{API}/a?page=1&size=5")
    mock.get(re.compile(r"https://b\.test/a\?page=[0-9]"))
    async with Client(transport=mock) as client:
        with pytest.raises(UnexpectedRequest) as caught:
            await client.get(f"{API}/a?page=secret&size=5&secret")
    assert str(caught.value).splitlines() == [
        f"no route matches GET '{API}/a?…'; the routes are:",
        f"  GET '{API}/a?page=1&size=5' (another query: ['page'])",
        "  GET 'https://b\\\\.test/a\\\\?page=[0-9]' (another URL)",
    ]


def test_a_route_needs_the_whole_url(mock: MockTransport) -> None:
    with pytest.raises(InvalidURL, match="whole also if the client has a base_url, got '/a'"):
        mock.get("/a")


def test_an_unknown_argument_of_a_response_names_ours(mock: MockTransport) -> None:
    route = mock.get(f"{API}/a")
    with pytest.raises(TypeError, match="'status_code': use status="):
        route.respond(status_code=404)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="got dict; use json= for JSON"):
        route.respond({"a": 1})  # type: ignore[arg-type]


async def test_a_long_list_of_routes_is_cut(mock: MockTransport) -> None:
    for number in range(25):
        mock.get(f"{API}/{number}")
    async with Client(transport=mock) as client:
        with pytest.raises(UnexpectedRequest) as caught:
            await client.get(f"{API}/a")
    assert len(str(caught.value).splitlines()) == 22
    assert str(caught.value).endswith("\n  and 5 more")


async def test_all_routes_must_be_called_and_no_request_be_unexpected(mock: MockTransport) -> None:
    mock.assert_all_called()
    mock.get(f"{API}/a")
    mock.get(f"{API}/b", times=2)
    mock.get(f"{API}/c").sequence(200, 200)
    async with Client(transport=mock) as client:
        for path in "bc":
            await client.get(f"{API}/{path}")
        with pytest.raises(UnexpectedRequest):
            await client.get(f"{API}/d")
    with pytest.raises(AssertionError) as caught:
        mock.assert_all_called()
    assert str(caught.value) == (
        f"GET '{API}/a' was called 0 times; GET '{API}/b' was called 1 times instead of 2; "
        f"GET '{API}/c' was called 1 times instead of 2; GET '{API}/d' matched no route"
    )


async def test_a_response_that_a_route_has_given_can_be_seen_in_its_call(mock: MockTransport) -> None:
    route = mock.get(f"{API}/a").respond(201)
    async with Client(transport=mock) as client:
        await client.get(f"{API}/a")
    (call,) = route.calls
    assert isinstance(call, Call)
    assert mock.calls == [call]
    assert call.route is route
    assert call.response is not None
    assert (call.response.status, call.error) == (201, None)
    assert repr(route) == f"<Route GET '{API}/a': 1 calls>"


def test_the_blocking_client_takes_a_mock(mock: MockTransport) -> None:
    mock.get(f"{API}/items/{{id}}").respond(lambda sent: build_response(text=sent.path_params["id"]))
    with compat.Client(transport=mock) as client:
        assert client.get(f"{API}/items/7").text == "7"
        with pytest.raises(UnexpectedRequest):
            client.get(f"{API}/")


# Arguments


@pytest.mark.parametrize(
    ("error", "text", "arguments"),
    [
        (ValueError, "expected an http or https URL", {"url": "/relative"}),
        (TypeError, "expected a URL or a compiled pattern as url, got int", {"url": 5}),
        (TypeError, "expected a function as where, got int", {"where": 5}),
        (TypeError, "as content, got list", {"content": []}),
        (TypeError, "for header X-A, got int", {"headers": {"X-A": 5}}),
        (TypeError, "unexpected keyword argument 'body'", {"body": b""}),
        (TypeError, "expected a number as times, got str", {"times": "2"}),
        (ValueError, "expected times of at least 1, got 0", {"times": 0}),
    ],
)
def test_invalid_conditions_are_refused(
    mock: MockTransport, error: type[Exception], text: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(error, match=text):
        mock.route("GET", **arguments)


async def test_a_status_may_have_parts_beside_it(mock: MockTransport) -> None:
    mock.get(f"{API}/").respond(404, json={"error": "gone"}, headers={"X-A": "b"})
    async with Client(transport=mock) as client:
        response = await client.get(f"{API}/")
    assert (response.status, response.json(), response.headers["X-A"]) == (404, {"error": "gone"}, "b")


def test_invalid_answers_are_refused(mock: MockTransport) -> None:
    route: Any = mock.get(f"{API}/")
    for wrong, text in (("text", "got str"), ([200], "got list")):
        with pytest.raises(TypeError, match=rf"as answer to GET '{API}/', {text}"):
            route.respond(wrong)
    with pytest.raises(TypeError, match="expected an answer, or the parts of a response, got both"):
        route.respond(LocalResponse(), text="a")
    with pytest.raises(TypeError, match="expected an answer, or the parts of a response, got both"):
        route.respond(404, status=500)
    with pytest.raises(TypeError, match="expected one of json, text, html, content and file, got several"):
        route.respond(text="a", json=None)
    with pytest.raises(TypeError, match="unexpected keyword argument 'body'"):
        route.respond(body=b"a")
    with pytest.raises(TypeError, match="expected an exception as error, got int"):
        route.raises(5)
    with pytest.raises(TypeError, match="expected at least one answer"):
        route.sequence()
