"""Bodies whose steps are taken by the thread that waits for the request.

A generator may block: it reads a database, or a response of the same client. On the loop's thread it would hold up all
other requests, or wait for itself. The thread that made the request has nothing to do but wait, so it takes each step:
there the generator finds its thread-local state, its exceptions have its caller's traceback, and Ctrl-C reaches it. A
worker thread would offer none of that, and of these there are few, for all.
"""

from __future__ import annotations

import os
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from functools import partial
from inspect import isawaitable
from types import GeneratorType
from typing import Any, Final

from ..client.request import Options
from ..errors import BodyNotReplayable
from ..exchange.body import find_buffer
from .portal import current_call

_END: Final = object()

_AT_HAND = (bytes, str, list, tuple, os.PathLike, Mapping, AsyncIterable)


def hand_over(options: Options) -> Options:
    """Return the options of a request with the content in them as hand_over_content() has it."""
    if (body := options.get("body")) is not None:
        options["body"] = hand_over_content(body)
    if (files := options.get("files")) is not None:
        options["files"] = _hand_over_files(files)
    return options


def _hand_over_files(files: Any) -> Any:
    pairs = files.items() if hasattr(files, "items") else files
    if not isinstance(pairs, Iterable):
        return files
    pairs = list(pairs)
    if all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs):
        return [(name, _hand_over_file(file)) for name, file in pairs]
    return pairs  # refused by the client, in its own words


def _hand_over_file(file: Any) -> Any:
    if isinstance(file, tuple):
        return (*file[:1], *map(hand_over_content, file[1:2]), *file[2:])
    return hand_over_content(file)


def hand_over_content(content: Any) -> Any:
    """Return what is sent in place of some content: an iterable or a function runs where its request is waited for.

    What is at hand stays as it is; so does a file, which the client reads in worker threads.
    """
    if isinstance(content, _AT_HAND) or hasattr(content, "read") or find_buffer(content) is not None:
        return content
    if isinstance(content, Iterator):
        return HandedIterator(content)
    if isinstance(content, Iterable):
        return HandedIterable(content)
    return _hand_over_function(content) if callable(content) else content


def _hand_over_function(make: Callable[[], Any]) -> Callable[[], Any]:
    async def make_there() -> Any:
        call = current_call()
        made = make() if call is None else await call.ask(make)
        return hand_over_content(await made if isawaitable(made) else made)

    return make_there


def hand_over_calls(function: Callable[..., object]) -> Callable[..., None]:
    """Return a function whose calls are made where their request is waited for; what they raise ends it."""

    def call_there(*args: object) -> None:
        call = current_call()
        assert call is not None
        call.tell(partial(function, *args), may_lapse=True)

    return call_there


class HandedIterable(AsyncIterable[Any]):
    """An iterable that begins anew each time."""

    def __init__(self, pieces: Iterable[Any]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[Any]:
        return _iterate(self._pieces)


class HandedIterator(AsyncIterator[Any]):
    """An iterator, which gives what it has once."""

    def __init__(self, pieces: Iterator[Any]) -> None:
        self._pieces = pieces
        self._iteration: AsyncGenerator[Any, None] | None = None

    def __aiter__(self) -> AsyncGenerator[Any, None]:
        return _iterate(self._pieces)

    async def __anext__(self) -> Any:
        self._iteration = self._iteration or _iterate(self._pieces)
        return await anext(self._iteration)


async def _iterate(pieces: Iterable[Any]) -> AsyncGenerator[Any, None]:
    if isinstance(pieces, GeneratorType) and pieces.gi_frame is None:
        raise BodyNotReplayable("body was read already, and a generator can be read only once")
    call = current_call()
    if call is None:  # sent by an asyncclient.Client
        for piece in pieces:
            yield piece
        return
    iterator = await call.ask(iter, pieces)
    try:
        while (piece := await call.ask(next, iterator, _END)) is not _END:
            yield piece
    finally:
        if isinstance(iterator, Generator):
            call.tell(iterator.close)
