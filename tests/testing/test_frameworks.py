"""Applications of FastAPI, Starlette, Django and Flask, called without a server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Annotated, Any

import django
import pytest
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from fastapi import BackgroundTasks, Depends, FastAPI, Header
from fastapi import Request as FastAPIRequest
from fastapi.responses import StreamingResponse
from flask import Flask, request
from flask import Response as FlaskResponse
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import compat
from asyncclient import Client, Part
from asyncclient.testing import ASGITransport, WSGITransport

URL = "https://testserver"


async def produce() -> AsyncIterator[bytes]:
    for number in range(3):
        yield b"chunk %d\n" % number


# FastAPI and Starlette


@pytest.fixture
def steps() -> list[str]:
    return []


@pytest.fixture
def fastapi(steps: list[str]) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
        steps.append("startup")
        yield {"shop": "lamps"}
        steps.append("shutdown")

    app = FastAPI(lifespan=lifespan)

    def find_user(authorization: Annotated[str, Header()]) -> str:
        return authorization.removeprefix("Bearer ")

    @app.get("/items/{item}")
    def show(item: int, user: Annotated[str, Depends(find_user)], page: int = 1) -> dict[str, Any]:
        return {"item": item, "user": user, "page": page}

    @app.post("/upload")
    async def upload(received: FastAPIRequest) -> dict[str, Any]:
        sizes = [len(chunk) async for chunk in received.stream()]
        return {"sizes": sizes, "shop": received.state.shop}

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(produce(), media_type="text/plain")

    @app.post("/later", status_code=202)
    async def later(tasks: BackgroundTasks) -> None:
        tasks.add_task(steps.append, "background")

    return app


async def test_fastapi(fastapi: FastAPI, steps: list[str]) -> None:
    async with Client(
        transport=ASGITransport(fastapi), base_url=URL, headers={"Authorization": "Bearer ada"}
    ) as client:
        response = await client.get("items/7", params={"page": 2})
        assert response.json() == {"item": 7, "user": "ada", "page": 2}
        assert (await client.get("items/lamp")).status == 422
        assert (await client.post("upload", body=produce())).json() == {"sizes": [8, 8, 8, 0], "shop": "lamps"}
        assert (await client.get("stream")).lines == ["chunk 0", "chunk 1", "chunk 2"]
        assert (await client.post("later")).status == 202
        assert steps == ["startup", "background"]
    assert steps[-1] == "shutdown"


def test_fastapi_with_the_blocking_client(fastapi: FastAPI) -> None:
    with compat.Client(transport=ASGITransport(fastapi), base_url=URL) as client:
        assert client.get("items/7", headers={"Authorization": "x"}).json()["user"] == "x"


async def test_starlette_ends_a_stream_when_the_client_leaves(steps: list[str]) -> None:
    async def endless() -> AsyncIterator[bytes]:
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            steps.append("ended")

    async def show(received: StarletteRequest) -> StreamingResponse:
        return StreamingResponse(endless())

    app = Starlette(routes=[Route("/", show)])
    async with Client(transport=ASGITransport(app)) as client, client.stream("GET", URL) as response:
        assert await anext(response.iter_chunks()) == b"first"
    assert steps == ["ended"]


async def test_a_mounted_application_and_its_path() -> None:
    async def show(received: StarletteRequest) -> PlainTextResponse:
        return PlainTextResponse(str(received.url_for("show", name="b")))

    inner = Starlette(routes=[Route("/items/{name}", show, name="show")])
    async with Client(transport=ASGITransport(Starlette(routes=[Mount("/api", inner)])), base_url=URL) as client:
        assert (await client.get("api/items/a")).text == f"{URL}/api/items/b"
    async with Client(transport=ASGITransport(inner, root_path="/api"), base_url=URL) as client:
        assert (await client.get("api/items/a")).text == f"{URL}/api/items/b"


async def test_exceptions_of_a_framework_are_raised_or_answered() -> None:
    async def fail(received: StarletteRequest) -> PlainTextResponse:
        raise KeyError("no such lamp")

    app = Starlette(routes=[Route("/", fail)])
    async with Client(transport=ASGITransport(app)) as client:
        with pytest.raises(KeyError, match="no such lamp"):
            await client.get(URL)
    async with Client(transport=ASGITransport(app, raise_app_exceptions=False)) as client:
        response = await client.get(URL)
        assert (response.status, response.text) == (500, "Internal Server Error")


# Django


def show_get(received: HttpRequest, item: int) -> JsonResponse:
    response = JsonResponse({"item": item, "query": received.GET.dict(), "url": received.build_absolute_uri()})
    response.set_cookie("sid", "1")
    return response


async def receive_form(received: HttpRequest) -> JsonResponse:
    files = {name: file.read().decode() for name, file in received.FILES.items()}
    return JsonResponse({"form": received.POST.dict(), "files": files, "cookies": received.COOKIES})


def receive_form_blocking(received: HttpRequest) -> JsonResponse:
    return JsonResponse({"form": received.POST.dict(), "size": len(received.body)})


def stream(received: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(produce() if hasattr(received, "scope") else iter([b"chunk 0\n", b"chunk 1\n"]))


def fail(received: HttpRequest) -> HttpResponse:
    raise KeyError("no such lamp")


@pytest.fixture(scope="module")
def configured() -> None:
    urls: Any = ModuleType("shop_urls")
    urls.urlpatterns = [
        path("items/<int:item>", show_get),
        path("form", receive_form),
        path("blocking", receive_form_blocking),
        path("stream", stream),
        path("fail", fail),
    ]
    settings.configure(
        ALLOWED_HOSTS=["testserver"],
        ROOT_URLCONF=urls,
        SECRET_KEY="of tests",
        DEBUG_PROPAGATE_EXCEPTIONS=True,
        SECURE_SSL_REDIRECT=True,
        MIDDLEWARE=["django.middleware.security.SecurityMiddleware"],
    )
    django.setup()


@pytest.mark.usefixtures("configured")
async def test_django_by_asgi() -> None:
    async with Client(transport=ASGITransport(get_asgi_application()), base_url=URL) as client:
        assert (await client.get("http://testserver/items/7")).history[0].status == 301
        response = await client.get("items/7?page=2")
        assert response.json() == {"item": 7, "query": {"page": "2"}, "url": f"{URL}/items/7?page=2"}
        files = {"file": Part("a.txt", b"content")}
        response = await client.post("form", data={"user": "ada"}, files=files)
        assert response.json() == {"form": {"user": "ada"}, "files": {"file": "content"}, "cookies": {"sid": "1"}}
        assert (await client.get("stream")).lines == ["chunk 0", "chunk 1", "chunk 2"]


@pytest.mark.usefixtures("configured")
async def test_django_by_wsgi() -> None:
    async with Client(transport=WSGITransport(WSGIHandler()), base_url=URL) as client:
        response = await client.get("items/7?page=2")
        assert response.json() == {"item": 7, "query": {"page": "2"}, "url": f"{URL}/items/7?page=2"}
        assert (await client.post("blocking", data={"user": "ada"})).json() == {"form": {"user": "ada"}, "size": 8}
        assert (await client.get("stream")).lines == ["chunk 0", "chunk 1"]
        with pytest.raises(KeyError, match="no such lamp"):
            await client.get("fail")


# Flask


@pytest.fixture
def flask() -> Flask:
    app = Flask("shop")

    @app.get("/items/<int:item>")
    def show_item(item: int) -> dict[str, Any]:
        return {"item": item, "query": request.args.to_dict(), "url": request.url}

    @app.post("/upload")
    def upload() -> dict[str, Any]:
        return {"size": len(request.stream.read()), "length": request.content_length}

    @app.get("/stream")
    def stream_lines() -> FlaskResponse:
        def lines() -> Iterator[str]:
            for number in range(1000):
                yield f"line {number}\n" * 100

        return FlaskResponse(lines(), mimetype="text/plain")

    @app.get("/fail")
    def fail_here() -> str:
        raise KeyError("no such lamp")

    return app


async def test_flask(flask: Flask) -> None:
    async with Client(transport=WSGITransport(flask, workers=2), base_url=URL) as client:
        response = await client.get("items/7?page=2")
        assert response.json() == {"item": 7, "query": {"page": "2"}, "url": f"{URL}/items/7?page=2"}
        assert (await client.head("items/7")).content == b""
        assert (await client.post("upload", body=b"x" * 300_000)).json() == {"size": 300_000, "length": 300_000}
        assert len((await client.get("stream")).lines) == 100_000
        responses = await asyncio.gather(*(client.get(f"items/{number}") for number in range(10)))
        assert [response.json()["item"] for response in responses] == [*range(10)]
        assert (await client.get("fail")).status == 500


async def test_a_stream_of_flask_may_be_left_early(flask: Flask) -> None:
    async with Client(transport=WSGITransport(flask)) as client, client.stream("GET", f"{URL}/stream") as response:
        assert (await anext(response.iter_chunks())).startswith(b"line 0\n")


async def test_exceptions_of_flask_are_raised_if_it_propagates_them(flask: Flask) -> None:
    flask.testing = True
    async with Client(transport=WSGITransport(flask), base_url=URL) as client:
        with pytest.raises(KeyError, match="no such lamp"):
            await client.get("fail")
    async with Client(transport=WSGITransport(flask, raise_app_exceptions=False), base_url=URL) as client:
        assert (await client.get("fail")).status == 500


def test_flask_with_the_blocking_client(flask: Flask) -> None:
    with compat.Client(transport=WSGITransport(flask), base_url=URL) as client:
        assert client.get("items/7").json()["item"] == 7


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, flask: Flask) -> None:
    monkeypatch.setitem(__import__("sys").modules, "a2wsgi", None)
    with pytest.raises(ImportError, match=r"WSGI needs a2wsgi: install asyncclient-http\[testing\]"):
        WSGITransport(flask)


def test_an_application_that_is_not_one_is_refused() -> None:
    wrong: Any = "app"
    with pytest.raises(TypeError, match="expected a WSGI application as app, got str"):
        WSGITransport(wrong)
