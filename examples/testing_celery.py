"""A Celery task with one blocking client per worker process, and its test."""

from functools import cache
from typing import Any

from celery import Celery

import compat
from asyncclient import HTTPException
from asyncclient.testing import MockTransport, build_response

WEATHER = "https://weather.example"

app = Celery("weather", broker="memory://", backend="cache+memory://")


@cache
def get_client() -> compat.Client:
    """Make the client on first use, which is after Celery has forked its workers."""
    return compat.Client(base_url=WEATHER, timeout=5)


@app.task(autoretry_for=(HTTPException, OSError), max_retries=5, retry_backoff=True)
def store_weather(town: str) -> Any:
    response = get_client().get("/now", params={"town": town})
    return response.raise_for_status().json()


def test_weather(asyncclient_mock: MockTransport) -> None:
    now = asyncclient_mock.get(f"{WEATHER}/now", params={"town": "Bath"})
    now.sequence(503, build_response(json={"sun": True}))
    app.conf.task_always_eager = True  # delay() runs the task at once, without a worker
    task: Any = store_weather  # Celery has no types
    try:
        assert task.delay("Bath").get() == {"sun": True}
    finally:
        get_client().close()
        get_client.cache_clear()
