"""The payload of a request from its arguments: JSON, a form, or a body as given."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Final

from .content_fields import ContentFields
from .form import FormData, Part, build_form, build_multipart
from .payload import BytesPayload, Payload, make_payload

JSON: Final = "application/json"


class Unset(enum.Enum):
    """The type of UNSET, the default of arguments for which None is a value."""

    UNSET = enum.auto()

    def __repr__(self) -> str:
        return "<unset>"


UNSET: Final = Unset.UNSET


def build_payload(
    *,
    body: Any = None,
    json: Any = UNSET,
    data: FormData | str | bytes | None = None,
    files: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None,
    encode_json: Callable[[Any], str | bytes] | None = None,
    fields: ContentFields | None = None,
) -> Payload | None:
    """Return the payload of a request; None without a body. JSON and forms without files are encoded at once.

    Args:
        body: see make_payload().
        json: a value to encode; None is `null`.
        data: the fields of a form, a mapping or pairs; or an encoded form as str or bytes. With files, the fields that
            are sent in addition to them.
        files: files of a multipart form, a mapping or pairs: name to Part or content; see build_multipart().
        encode_json: returns JSON for a value, in place of json.dumps().
        fields: the content fields of the request, if it has any.

    Raises:
        ValueError: more than one of body, json, and data or files; a value that can't be encoded, such as NaN in JSON;
            or fields that contradict the encoding.
        TypeError: an argument of another type.
        Exception: any error of encode_json.
    """
    if (body is not None) + (json is not UNSET) + (data is not None or files is not None) > 1:
        raise ValueError("expected one of body, json, and data or files, got several")
    if json is not UNSET:
        return _build_json(json, encode_json or _encode_json, fields)
    if files is not None:  # empty files make a multipart form, too: there is no other way to send data as one
        if isinstance(data, str | bytes):
            raise TypeError("expected a mapping or pairs (name, value) as data with files, got an encoded form")
        return build_multipart(data, files, None if fields is None else fields.find_boundary())
    if data is not None:
        return build_form(data, fields)
    if body is None:
        return None
    payload = make_payload(body)
    if fields is not None and isinstance(body, str):
        fields.check_text(is_ascii=body.isascii())
    return payload


def _build_json(value: Any, encode: Callable[[Any], str | bytes], fields: ContentFields | None) -> Payload:
    encoded = encode(value)
    data = _to_bytes(encoded)
    if fields is not None:
        fields.check_json(data, is_text=isinstance(encoded, str))
    return BytesPayload(data, JSON)


def _to_bytes(encoded: object) -> bytes:
    if isinstance(encoded, str):
        # UTF-8 can't encode lone surrogates; in a JSON string Python's escapes for them are those of JSON.
        return encoded.encode("utf-8", "backslashreplace")
    if isinstance(encoded, bytes):
        return encoded
    raise TypeError(f"expected str or bytes from encode_json, got {type(encoded).__name__}")


def _encode_json(value: Any) -> str:
    return _find_encoder()(value)


@cache
def _find_encoder() -> Callable[[Any], str]:
    """Return an encoder for compact JSON, with text unescaped and without NaN (RFC 8259 §6)."""
    import json  # imported on use (decision 52)

    return json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


__all__ = ["JSON", "UNSET", "Part", "Payload", "Unset", "build_payload"]
