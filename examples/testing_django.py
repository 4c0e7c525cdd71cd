"""Django views with a client, under ASGI and under WSGI, and their tests.

Run it with pytest and pytest-asyncio (asyncio_mode=auto).
"""

import asyncio
from functools import cache
from weakref import WeakKeyDictionary

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

import compat
from asyncclient import Client
from asyncclient.testing import ASGITransport, MockTransport, WSGITransport

SHOP = "https://shop.example"
WEATHER = "https://weather.example"
_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Client] = WeakKeyDictionary()


def get_client() -> Client:
    """The client of the running loop: under ASGI there is one loop per process."""
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        _clients[loop] = Client(base_url=WEATHER, timeout=5)
    return _clients[loop]


@cache
def get_blocking_client() -> compat.Client:
    return compat.Client(base_url=WEATHER, timeout=5)


async def show_weather(request: HttpRequest, town: str) -> JsonResponse:
    response = await get_client().get("/now", params={"town": town})
    return JsonResponse(response.raise_for_status().json())


def show_weather_blocking(request: HttpRequest, town: str) -> JsonResponse:
    response = get_blocking_client().get("/now", params={"town": town})
    return JsonResponse(response.raise_for_status().json())


urlpatterns = [
    path("async/<town>", show_weather),
    path("blocking/<town>", show_weather_blocking),
]
if not settings.configured:
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["shop.example"])
    django.setup()


async def test_async_view(asyncclient_mock: MockTransport) -> None:
    asyncclient_mock.get(f"{WEATHER}/now", params={}).respond(json={"sun": True})
    transport = ASGITransport(get_asgi_application())
    async with Client(transport=transport, base_url=SHOP) as client:
        assert (await client.get("/async/Bath")).json() == {"sun": True}
    await get_client().aclose()


def test_blocking_view(asyncclient_mock: MockTransport) -> None:
    asyncclient_mock.get(f"{WEATHER}/now", params={}).respond(json={"sun": True})
    transport = WSGITransport(get_wsgi_application())
    try:
        with compat.Client(transport=transport, base_url=SHOP) as client:
            assert client.get("/blocking/Bath").json() == {"sun": True}
    finally:
        get_blocking_client().close()
        get_blocking_client.cache_clear()
