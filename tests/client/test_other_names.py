"""Attributes of other clients' responses, which name ours."""

import copy
import json
import pickle
import re
from abc import ABC, abstractmethod
from typing import Any, Protocol

import pytest

import asyncclient
import compat
from asyncclient import Client, Response, Timings, other_modules
from asyncclient.client.other_names import BLOCKING_CLIENT, CLIENT, RESPONSE, SETTINGS
from asyncclient.client.request import CLIENT_OPTIONS
from asyncclient.testing import RawServer
from tests.connection.conversations import OK


async def get() -> Response:
    with RawServer.replying(OK) as server:
        async with Client() as client:
            return await client.get(server.url)


def get_blocking() -> compat.Response:
    with RawServer.replying(OK) as server, compat.Client() as client:
        return client.get(server.url)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("status_code", "use status"),
        ("reason_phrase", "use reason"),
        ("is_success", "use ok"),
        ("iter_content", r"use iter_chunks\(size\)"),
        ("aread", r"use read\(\)"),
        ("getheader", r"use headers\.get\(name\)"),
        ("elapsed", r"use timings\.done, in seconds"),
        ("data", "use content"),
    ],
)
async def test_a_name_of_another_client_is_answered_with_ours(name: str, advice: str) -> None:
    for response in (await get(), get_blocking()):
        with pytest.raises(AttributeError, match=f"^'Response' object has no attribute '{name}': {advice}$") as raised:
            getattr(response, name)
        assert (raised.value.name, raised.value.obj) == (name, response)


async def test_each_advice_names_an_attribute() -> None:
    for response in (await get(), get_blocking()):
        for advice in RESPONSE.values():
            first = advice.replace("(", " ").replace(",", " ").replace(".", " ").split()[0]
            assert hasattr(response, first) or first == "len", advice


async def test_responses_do_not_have_the_names_of_others() -> None:
    for response in (await get(), get_blocking()):
        assert not set(RESPONSE) & set(dir(response))
        assert {"status", "headers", "json", "close"} <= set(dir(response))
        for name in RESPONSE:
            assert not hasattr(response, name)
            assert not hasattr(type(response), name)
        for again in (copy.copy(response), pickle.loads(pickle.dumps(response))):
            assert (again.status, again.content) == (200, b"ok")


# Clients

CLIENTS: list[Any] = [Client, compat.Client]
ASSIGNED = [
    ("auth", "auth"),
    ("headers", "headers"),
    ("timeout", "timeout"),
    ("follow_redirects", "follow_redirects"),
    ("params", "params"),
    ("verify", "ssl"),
    ("proxies", "proxy"),
    ("base_url", "base_url"),
    ("cookies", "cookies"),
]


@pytest.mark.parametrize(("name", "setting"), ASSIGNED)
def test_a_setting_of_a_client_cannot_be_assigned(name: str, setting: str) -> None:
    for make in CLIENTS:
        client = make(base_url="http://h/")
        text = rf"^'Client' object has no .*'{name}': settings of a client are given to Client\({setting}=\.\.\.\)$"
        with pytest.raises(AttributeError, match=text):
            delattr(client, name)
        with pytest.raises(AttributeError, match=text) as raised:
            setattr(client, name, ("user", "password"))
        assert (raised.value.name, raised.value.obj) == (name, client)
        if name in ("base_url", "cookies"):
            assert client.base_url == "http://h/"
            assert len(client.cookies) == 0
        else:
            with pytest.raises(AttributeError, match=text):
                getattr(client, name)


def test_no_setting_can_be_assigned_and_other_attributes_can() -> None:
    for make in CLIENTS:
        client = make()
        for name in CLIENT_OPTIONS | SETTINGS.keys():
            with pytest.raises(AttributeError, match="settings of a client are given to Client"):
                setattr(client, name, None)
        client.label = "mine"
        assert client.label == "mine"


def test_each_name_of_a_setting_is_that_of_an_argument() -> None:
    assert set(SETTINGS.values()) <= CLIENT_OPTIONS
    assert not SETTINGS.keys() & CLIENT_OPTIONS


@pytest.mark.parametrize(("make", "names"), [(Client, CLIENT), (compat.Client, BLOCKING_CLIENT)])
def test_a_method_of_another_client_is_answered_with_ours(make: Any, names: dict[str, str]) -> None:
    client = make()
    for name, advice in names.items():
        problem = "does not support the .*context manager protocol" if "__" in name else f"has no attribute '{name}'"
        with pytest.raises(AttributeError, match=f"^'Client' object {problem}: use ") as raised:
            getattr(client, name)
        assert isinstance(raised.value, TypeError) is ("__" in name)
        assert str(raised.value).endswith(advice)
        first = advice.removeprefix("await client.").partition("(")[0]
        assert hasattr(client, first) or advice.startswith(("nothing: ", "Client(transport=", "async with", "with"))


def test_clients_do_not_have_the_names_of_others() -> None:
    for make, names in ((Client, CLIENT), (compat.Client, BLOCKING_CLIENT)):
        client = make()
        missing = {*names, *SETTINGS, *CLIENT_OPTIONS} - {"base_url", "cookies"}
        assert not missing & set(dir(client))
        assert {"get", "stream", "base_url", "cookies"} <= set(dir(client))
        assert not any(hasattr(client, name) for name in missing)


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize(("name", "setting"), ASSIGNED)
def test_a_setting_that_a_subclass_assigns_is_refused_before_and_after_its_base(
    kind: Any, name: str, setting: str
) -> None:
    class Before(kind):  # type: ignore[misc]
        def __init__(self) -> None:
            setattr(self, name, 5)
            super().__init__()

    class After(kind):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            setattr(self, name, 5)

    for subclass in (Before, After):
        given = rf"settings of a client are given to super\(\).__init__\({setting}=\.\.\.\)"
        own = rf"an attribute '{name}' of {subclass.__name__} itself is declared in its class body"
        with pytest.raises(AttributeError, match=rf"^'{subclass.__name__}' object has no .*'{name}': {given}; {own}$"):
            subclass()


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_subclass_may_declare_an_attribute_of_that_name(kind: Any) -> None:
    class Shop(kind):  # type: ignore[misc]
        timeout: float | None = None
        verify = True

        def __init__(self) -> None:
            self.timeout = 5
            super().__init__(timeout=7)
            self.verify = False

        @property
        def headers(self) -> str:
            return "own"

    shop = Shop()
    assert (shop.timeout, shop.verify, shop.headers) == (5, False, "own")
    assert {"timeout", "verify", "headers"} <= set(dir(shop))
    assert "auth" not in dir(shop)


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_subclass_may_have_a_metaclass(kind: Any) -> None:
    class Singleton(type):
        made: Any = None

        def __call__(cls) -> Any:
            cls.made = cls.made or super().__call__()
            return cls.made

    class Shop(kind, metaclass=Singleton):  # type: ignore[misc]
        pass

    assert Shop() is Shop()
    assert isinstance(Shop(), kind)


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_subclass_may_have_protocols_and_abstract_classes_as_bases(kind: Any) -> None:
    class Named(Protocol):
        def name(self) -> str: ...

    class Countable(ABC):
        @abstractmethod
        def count(self) -> int: ...

    class Shop(kind, Named, Countable):  # type: ignore[misc]
        def name(self) -> str:
            return "shop"

        def count(self) -> int:
            return 1

    shop = Shop()
    assert (shop.name(), shop.count(), isinstance(shop, kind)) == ("shop", 1, True)


# Modules and fields

NAMES = [
    ("AsyncClient", "use asyncclient.Client$", "use asyncclient.Client, or compat.Client without asyncio"),
    ("ClientSession", "use asyncclient.Client$", "use compat.Client$"),
    ("Session", "use asyncclient.Client, or compat.Client without asyncio", "use compat.Client$"),
    *[
        (name, advice, advice)
        for name, advice in [
            ("get", r"use client\.get\(\), of one Client for the program"),
            ("HTTPStatusError", r"use asyncclient\.StatusError$"),
            ("HTTPError", r"use asyncclient\.StatusError for a status"),
            ("RequestException", r"use asyncclient\.HTTPException, and OSError"),
            ("TimeoutException", r"use asyncclient\.PhaseTimeout$"),
            ("BasicAuth", r"use auth=\(user, password\), or asyncclient\.Basic"),
            ("HTTPBasicAuth", r"use auth=\(user, password\), or asyncclient\.Basic"),
            ("FormData", "use data= and files= of a request"),
        ]
    ],
]


@pytest.mark.parametrize(("name", "advice", "blocking_advice"), NAMES)
def test_a_name_of_another_module_is_answered_with_ours(name: str, advice: str, blocking_advice: str) -> None:
    for module, text in ((asyncclient, advice), (compat, blocking_advice)):
        assert not hasattr(module, name)
        assert name not in dir(module)
        with pytest.raises(AttributeError, match=f"^module '{module.__name__}' has no attribute '{name}': {text}"):
            getattr(module, name)


def test_each_advice_for_a_module_is_a_name_that_exists() -> None:
    for names in other_modules._INSTEAD.values():
        for advice in names.values():
            for module, name in re.findall(r"\b(asyncclient|compat)\.(\w+)", advice):
                assert advice.startswith("import ") or hasattr(
                    {"asyncclient": asyncclient, "compat": compat}[module], name
                )


@pytest.mark.parametrize(("name", "advice"), [("get_list", "get_all"), ("getall", "get_all"), ("multi_items", "pairs")])
def test_a_method_of_other_fields_is_answered_with_ours(name: str, advice: str) -> None:
    fields = asyncclient.Fields([("A", "1")])
    assert not hasattr(fields, name)
    assert name not in dir(fields)
    assert advice in dir(fields)
    with pytest.raises(AttributeError, match=rf"^'Fields' object has no attribute '{name}': use {advice}\(\)$"):
        getattr(fields, name)


async def test_a_with_of_the_other_kind_is_answered() -> None:
    client: Any = Client()
    with pytest.raises(AttributeError, match=r"use async with; without asyncio use compat\.Client$"), client:
        pass
    await client.aclose()
    blocking: Any = compat.Client()
    with pytest.raises(AttributeError, match=r"use with; for asyncio use asyncclient\.Client$"):
        async with blocking:
            pass
    blocking.close()


@pytest.mark.parametrize("make", CLIENTS)
def test_a_url_as_argument_of_a_client_is_answered(make: Any) -> None:
    with pytest.raises(
        TypeError, match=r"^Client takes keyword arguments only: use Client\(base_url=\.\.\.\), or client\.get"
    ):
        make("http://h/")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("wait", "first_byte - sent"),
        ("receive", "done - first_byte"),
        ("total", "done, in seconds"),
        ("dns", "resolve"),
    ],
)
def test_a_phase_of_another_name_is_answered_with_ours(name: str, advice: str) -> None:
    timings = Timings(0.0)
    assert name not in dir(timings)
    assert not {part for part in re.findall(r"[a-z_]{3,}", advice) if part != "seconds"} - set(dir(timings))
    with pytest.raises(AttributeError, match=f"^'Timings' object has no attribute '{name}': use {advice}$"):
        getattr(timings, name)


def test_the_body_of_a_request_is_answered_with_its_payload() -> None:
    request = asyncclient.Request("POST", "http://h/", body=b"a")
    with pytest.raises(AttributeError, match=r"'body': use payload, the body as it is sent$"):
        request.body  # type: ignore[attr-defined]  # noqa: B018
    assert {"payload", "headers"} <= set(dir(request))
    assert "body" not in dir(request)


def test_the_keys_of_a_link_are_answered_with_attributes() -> None:
    link: Any = asyncclient.Link("http://h/", "next", {})
    with pytest.raises(TypeError, match=r"^a Link has no keys: use link\.url, .* instead of \['url'\]$"):
        link["url"]
    url, rel, params = link
    assert (url, rel, params, link[0], link[-1], link[:2]) == ("http://h/", "next", {}, url, {}, (url, rel))


async def test_an_unknown_option_of_json_is_answered() -> None:
    for response in (await get(), get_blocking()):
        with pytest.raises(
            TypeError, match=r"argument 'content_type': it takes those of json\.loads\(\), and content of any"
        ):
            response.json(content_type=None)
        with pytest.raises(TypeError, match="own"):
            response.json(cls=_Refusing, other=1)


class _Refusing(json.JSONDecoder):
    def __init__(self, **options: Any) -> None:
        raise TypeError("own")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("testing", "import asyncclient.testing"),
        ("crawl", "import asyncclient.crawl"),
        ("MockTransport", "asyncclient.testing.MockTransport"),
        ("SSLError", "asyncclient.TLSError, or ssl.SSLError"),
        ("ServerDisconnectedError", "asyncclient.RemoteDisconnected"),
    ],
)
def test_a_name_that_is_elsewhere_in_the_package_is_answered(name: str, advice: str) -> None:
    for module in ("asyncclient", "compat"):
        text = str(other_modules.explain_name(module, name))
        assert text == f"module {module!r} has no attribute {name!r}: use {advice}"
