"""TLS: which certificates are good, the contexts that say so, and what a connection turned out to have.

The default context of the process trusts what the system trusts. On macOS and Windows that is known to the system
itself alone: there truststore has it verify certificates, where it is installed. Elsewhere OpenSSL's own paths are the
system's, and truststore would load them anew for each connection: 50 ms, on the loop. SSL_CERT_FILE and SSL_CERT_DIR,
where set, are what OpenSSL takes the authorities from, on every system; SSLKEYLOGFILE holds for each context made here.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os
import re
import ssl
import stat
import sys
import threading
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from ..errors import TLSError, clip
from .files import check_owner, open_regular_or_null

_FINGERPRINT: Final = re.compile(r"(?:sha256:)?((?:[0-9a-f]{2}:){31}[0-9a-f]{2}|[0-9a-f]{64})", re.IGNORECASE)
_HAVE_OWN_STORE: Final = ("darwin", "win32")

_HINT: Final = "for a file of authorities give asyncclient.create_tls_context(cafile=...)"
_PATH: Final = re.compile(r"[./\\]")

_default: ssl.SSLContext | None = None
_unverified: ssl.SSLContext | None = None
_lock = threading.Lock()


class Trust(NamedTuple):
    """Which certificates of servers are good.

    Args:
        context: decides; None is a context of the process.
        fingerprints: SHA-256 of the certificates (DER) one of which it must be besides; with none, any.
        is_verified: whether the process's context verifies chain, name and dates, or nothing at all.
    """

    context: ssl.SSLContext | None
    fingerprints: tuple[bytes, ...] = ()
    is_verified: bool = True


TrustLike = ssl.SSLContext | bool | str | bytes | Iterable[str | bytes] | None
"""What a client takes as `ssl`; see parse_trust()."""


def parse_trust(value: TrustLike) -> Trust:
    """Return which certificates are good; no context is made yet.

    Args:
        value: one of
            - None or True: what the system trusts;
            - an SSLContext, taken as it is;
            - False: all of them. Whoever is on the way can read and change everything;
            - the fingerprint of the one certificate that is, or several: SHA-256 as "sha256:AB:CD:…", as 64 hex digits
              with colons or without, or as 32 bytes. Then nothing else is looked at, neither names nor dates.

    Raises:
        ValueError: a fingerprint is none, or there are none.
        TypeError: it is something else.
    """
    if value is None or isinstance(value, bool):
        return Trust(None, is_verified=value is not False)
    if isinstance(value, ssl.SSLContext):
        return Trust(value)
    if not isinstance(value, Iterable):
        raise TypeError(f"expected an SSLContext, a bool or fingerprints as ssl, got {type(value).__name__}; {_HINT}")
    given = [value] if isinstance(value, str | bytes) else value
    fingerprints = tuple(map(_parse_fingerprint, given))
    if not fingerprints:
        raise ValueError("expected at least one fingerprint as ssl, got none")
    return Trust(None, fingerprints, is_verified=False)


def _parse_fingerprint(value: str | bytes) -> bytes:
    if isinstance(value, bytes) and len(value) == 32:
        return value
    match = _FINGERPRINT.fullmatch(value) if isinstance(value, str) else None
    if match is None and isinstance(value, str) and _PATH.search(value):
        raise ValueError(f"expected an SSLContext or a fingerprint as ssl, got {clip(value)}; {_HINT}")
    if match is None:
        raise ValueError(f"expected SHA-256 as fingerprint, 64 hex digits or 32 bytes, got {clip(value)}")
    return bytes.fromhex(match[1].replace(":", ""))


async def context_of(trust: Trust) -> ssl.SSLContext:
    """Return the context for a handshake; the fingerprints are for check_fingerprint(), when it is done."""
    if trust.context is not None:
        return trust.context
    return await default_context() if trust.is_verified else _unverified_context()


def check_fingerprint(ssl_object: ssl.SSLObject | None, fingerprints: tuple[bytes, ...], peer: str) -> None:
    """Let a peer pass whose certificate has one of these SHA-256.

    Raises:
        TLSError: it has another, or there is no certificate.
    """
    import hashlib  # only here: few need it

    certificate = ssl_object and ssl_object.getpeercert(binary_form=True)
    found = hashlib.sha256(certificate).digest() if certificate else b""
    if found not in fingerprints:
        got = f"sha256 {found.hex(':')}" if found else "none"
        raise TLSError(f"certificate of {peer} is not the pinned one: got {got}")


def create_tls_context(
    cafile: str | os.PathLike[str] | None = None,
    capath: str | os.PathLike[str] | None = None,
    cadata: str | bytes | None = None,
    *,
    strict: bool = False,
) -> ssl.SSLContext:
    """Return a new context with the rules of this package's own one: chain, host name and dates are verified.

    It is the same on every Python, where `ssl.create_default_context()` became stricter with 3.13: an intermediate
    authority may be trusted by itself, and certificates need not keep to all of RFC 5280 unless `strict` is set.

    Args:
        cafile, capath, cadata: the authorities to trust, as `ssl.SSLContext.load_verify_locations()` takes them; those
            of the system if none of the three is given.
        strict: refuse certificates that break RFC 5280, such as authorities without a subject key identifier
            (`ssl.VERIFY_X509_STRICT`).

    Raises:
        OSError: a file can't be read, or has no certificate (`ssl.SSLError`).
    """
    context = ssl.create_default_context(cafile=cafile, capath=capath, cadata=cadata)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if strict:
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    else:
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return _equip(context)


def build_default_context() -> ssl.SSLContext:
    """Return the context of this process, which verifies chain, host name and dates; made at the first call.

    Making it loads every authority of the system, 20 ms: once, and not on a loop (see default_context).
    """
    global _default
    with _lock:
        if _default is None:
            native = _build_native_context()
            _default = create_tls_context() if native is None else _equip(native)
    return _default


async def default_context() -> ssl.SSLContext:
    """Return the context of this process; a worker thread makes it."""
    if _default is not None:
        return _default
    return await asyncio.get_running_loop().run_in_executor(None, build_default_context)


def _build_native_context() -> ssl.SSLContext | None:
    """Return a context that has the system verify certificates; None where that can't be, or is not wanted."""
    is_given = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
    if sys.platform not in _HAVE_OWN_STORE or is_given or importlib.util.find_spec("truststore") is None:
        return None
    truststore: Any = importlib.import_module("truststore")  # an extra, for those systems only
    context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return context


def _unverified_context() -> ssl.SSLContext:
    """Return the context of this process that verifies nothing; it takes 0.2 ms to make: no thread, and no lock."""
    global _unverified
    if _unverified is None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        _unverified = _equip(context)
    return _unverified


def _equip(context: ssl.SSLContext) -> ssl.SSLContext:
    context.set_alpn_protocols(["http/1.1"])
    if context.post_handshake_auth is not None:
        context.post_handshake_auth = True
    key_log = os.environ.get("SSLKEYLOGFILE")
    if key_log and not sys.flags.ignore_environment:
        _prepare_key_log(key_log)
        context.keylog_filename = key_log  # as create_default_context() does
    return context


def _prepare_key_log(path: str) -> None:
    """Make the file for the keys, which only its owner can read, unless there is one that is fit for it.

    OpenSSL would wait for somebody to read a FIFO, and write the keys to another user's file.
    """
    try:
        descriptor = open_regular_or_null(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            found = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if stat.S_ISREG(found.st_mode):
            check_owner(found, path)
    except OSError as error:
        raise OSError(error.errno, f"SSLKEYLOGFILE: {error.strerror}", path) from None


class TLSInfo(NamedTuple):
    """What TLS negotiated on a connection.

    Attributes:
        version: the protocol, such as "TLSv1.3".
        cipher: the cipher suite, such as "TLS_AES_256_GCM_SHA384".
        alpn: the protocol chosen by ALPN (RFC 7301), None if none was.
        certificate: the server's certificate as `ssl.SSLSocket.getpeercert()` parses it; None where certificates are
            not verified (`ssl=False`, a fingerprint), since ssl parses only those that it has verified.
        certificate_der: the same certificate in DER, verified or not.
    """

    version: str | None
    cipher: str | None
    alpn: str | None
    certificate: dict[str, Any] | None
    certificate_der: bytes | None = None


def describe(ssl_object: ssl.SSLObject) -> TLSInfo:
    """Return what was negotiated on a connection."""
    cipher = ssl_object.cipher()
    return TLSInfo(
        ssl_object.version(),
        cipher and cipher[0],
        ssl_object.selected_alpn_protocol(),
        ssl_object.getpeercert() or None,
        ssl_object.getpeercert(binary_form=True),
    )
