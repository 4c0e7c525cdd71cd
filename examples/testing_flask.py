"""A Flask application with one blocking client per process, and its test."""

from functools import cache

from flask import Flask

import compat
from asyncclient.testing import MockTransport

WEATHER = "https://weather.example"

app = Flask("weather")


@cache
def get_client() -> compat.Client:
    """Make the client on first use, which is after a server has forked its workers."""
    return compat.Client(base_url=WEATHER, timeout=5)


@app.get("/weather/<town>")
def show_weather(town: str) -> dict[str, bool]:
    response = get_client().get("/now", params={"town": town})
    weather: dict[str, bool] = response.raise_for_status().json()
    return weather


def test_weather(asyncclient_mock: MockTransport) -> None:
    asyncclient_mock.get(f"{WEATHER}/now", params={}).respond(json={"sun": True})
    try:
        assert app.test_client().get("/weather/Bath").get_json() == {"sun": True}
    finally:
        get_client().close()
        get_client.cache_clear()
