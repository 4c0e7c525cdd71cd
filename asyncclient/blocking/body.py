"""Request bodies that run in the thread that waits for the request.

A generator may block: it may read a database, or a response of the same client. In the loop's thread it would delay all
other requests, or wait for itself. The thread that made the request is waiting anyway, so it executes each step: there
the generator has its thread-local state, its exceptions have the caller's traceback, and Ctrl-C reaches it. A worker
thread offers none of this, and the workers are few and shared.
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
from types import GeneratorType
from typing import Any, Final, TypeVar

from ..arguments import maybe_await
from ..client.request import Options
from ..errors import BodyNotReplayable
from ..exchange.body import find_buffer
from .portal import current_call

_Options = TypeVar("_Options", Options, dict[str, Any])

_END: Final = object()

_ACCEPTED_AS_IS = (bytes, str, list, tuple, os.PathLike, Mapping, AsyncIterable)


def wrap_options(options: _Options) -> _Options:
    """Return the options of a request with content wrapped by wrap_content(), and progress by wrap_callback()."""
    if (progress := options.get("progress")) is not None:
        options["progress"] = wrap_callback(progress)
    if (body := options.get("body")) is not None:
        options["body"] = wrap_content(body)
    if (files := options.get("files")) is not None:
        options["files"] = _wrap_files(files)
    return options


def _wrap_files(files: Any) -> Any:
    pairs = files.items() if hasattr(files, "items") else files
    if not isinstance(pairs, Iterable):
        return files
    pairs = list(pairs)
    if all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs):
        return [(name, _wrap_file(file)) for name, file in pairs]
    return pairs  # the client raises the error


def _wrap_file(file: Any) -> Any:
    if isinstance(file, tuple):
        return (*file[:1], *map(wrap_content, file[1:2]), *file[2:])
    return wrap_content(file)


def wrap_content(content: Any) -> Any:
    """Return content whose iterable or function runs in the thread that waits for the request.

    Content in memory is returned unchanged; so is a file, which the client reads in worker threads.
    """
    if isinstance(content, _ACCEPTED_AS_IS) or hasattr(content, "read") or find_buffer(content) is not None:
        return content
    if isinstance(content, Iterator):
        return CallerIterator(content)
    if isinstance(content, Iterable):
        return CallerIterable(content)
    return _wrap_function(content) if callable(content) else content


def _wrap_function(make: Callable[[], Any]) -> Callable[[], Any]:
    async def make_in_caller() -> Any:
        call = current_call()
        made = make() if call is None else await call.run_in_caller(make)
        return wrap_content(await maybe_await(made))

    return make_in_caller


def wrap_callback(function: Callable[..., object]) -> Callable[..., None]:
    """Return a function that calls `function` in the thread that waits for the request; an exception ends the wait."""

    def call_in_caller(*args: object) -> None:
        call = current_call()
        assert call is not None
        call.post_to_caller(partial(function, *args), is_optional=True)

    return call_in_caller


class CallerIterable(AsyncIterable[Any]):
    """An iterable that runs in the caller's thread; each iteration starts again."""

    def __init__(self, pieces: Iterable[Any]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[Any]:
        return _iterate(self._pieces)


class CallerIterator(AsyncIterator[Any]):
    """An iterator that runs in the caller's thread, once."""

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
    if call is None:  # the request is sent by an asyncclient.Client
        for piece in pieces:
            yield piece
        return
    iterator = await call.run_in_caller(iter, pieces)
    try:
        while (piece := await call.run_in_caller(next, iterator, _END)) is not _END:
            yield piece
    finally:
        if isinstance(iterator, Generator):
            call.post_to_caller(iterator.close)
