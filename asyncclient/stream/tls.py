"""TLS: the trust settings of a client, the contexts for them, and what was negotiated on a connection.

The default context of the process trusts the system's authorities. On macOS and Windows only the system itself can
check those, so truststore is used there if it is installed. Elsewhere OpenSSL reads the system's files; truststore
would load them for each connection, 50 ms in the event loop. If SSL_CERT_FILE or SSL_CERT_DIR is set, OpenSSL takes the
authorities from there, on every system. SSLKEYLOGFILE applies to each context made here.
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

FILE_HINT: Final = "for a file of authorities give asyncclient.create_tls_context(cafile=...)"
_PATH: Final = re.compile(r"[./\\]")

_default: ssl.SSLContext | None = None
_unverified: ssl.SSLContext | None = None
_lock = threading.Lock()


class Trust(NamedTuple):
    """Which certificates of servers are accepted.

    Args:
        context: the context that decides; None is a context of the process.
        fingerprints: if any, the SHA-256 of the certificate (DER) must also be one of these.
        is_verified: True if the process's context verifies chain, name and dates; False if it verifies nothing.
    """

    context: ssl.SSLContext | None
    fingerprints: tuple[bytes, ...] = ()
    is_verified: bool = True


TrustLike = ssl.SSLContext | bool | str | bytes | Iterable[str | bytes] | None
"""The argument `ssl` of a client; see parse_trust()."""


def parse_trust(value: TrustLike) -> Trust:
    """Return the trust settings for the argument `ssl`; no context is created yet.

    Args:
        value: one of
            - None or True: trust the system's authorities;
            - an SSLContext, used unchanged;
            - False: accept any certificate. Anyone on the network path can then read and change everything;
            - a fingerprint or several: SHA-256 as "sha256:AB:CD:…", as 64 hex digits with or without colons, or as 32
              bytes. Only the fingerprint is checked, neither names nor dates.

    Raises:
        ValueError: a fingerprint is malformed, or there is none.
        TypeError: the value has another type.
    """
    if value is None or isinstance(value, bool):
        return Trust(None, is_verified=value is not False)
    if isinstance(value, ssl.SSLContext):
        return Trust(value)
    if not isinstance(value, Iterable):
        raise TypeError(
            f"expected an SSLContext, a bool or fingerprints as ssl, got {type(value).__name__}; {FILE_HINT}"
        )
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
        raise ValueError(f"expected an SSLContext or a fingerprint as ssl, got {clip(value)}; {FILE_HINT}")
    if match is None:
        raise ValueError(f"expected SHA-256 as fingerprint, 64 hex digits or 32 bytes, got {clip(value)}")
    return bytes.fromhex(match[1].replace(":", ""))


async def context_of(trust: Trust) -> ssl.SSLContext:
    """Return the context for a handshake; call check_fingerprint() after it."""
    if trust.context is not None:
        return trust.context
    return await default_context() if trust.is_verified else _unverified_context()


def check_fingerprint(ssl_object: ssl.SSLObject | None, fingerprints: tuple[bytes, ...], peer: str) -> None:
    """Check that the certificate of a peer has one of these SHA-256 fingerprints.

    Raises:
        TLSError: it has another, or there is no certificate.
    """
    import hashlib  # imported on use: rarely needed

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
    """Return a new context with the rules of this package: chain, host name and dates are verified.

    It is the same on every Python, although `ssl.create_default_context()` became stricter in 3.13: an intermediate
    authority may be trusted by itself, and certificates need not satisfy all of RFC 5280 unless `strict` is True.

    Args:
        cafile, capath, cadata: the authorities to trust, as in `ssl.SSLContext.load_verify_locations()`; by default the
            system's.
        strict: refuse certificates that violate RFC 5280, such as authorities without a subject key identifier
            (`ssl.VERIFY_X509_STRICT`).

    Raises:
        OSError: a file can't be read, or has no certificate (`ssl.SSLError`).
    """
    try:
        context = ssl.create_default_context(cafile=cafile, capath=capath, cadata=cadata)
    except OSError as error:
        if error.filename is None and not isinstance(error, ssl.SSLError):  # OpenSSL does not name the file
            error.filename = cafile or capath
        raise
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if strict:
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    else:
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return _equip(context)


def build_default_context() -> ssl.SSLContext:
    """Return the context of this process, created by the first call; it verifies chain, host name and dates.

    Creating it loads all authorities of the system (20 ms), so it is done once, and not in the loop: default_context().
    """
    global _default
    with _lock:
        if _default is None:
            native = _build_native_context()
            _default = create_tls_context() if native is None else _equip(native)
    return _default


async def default_context() -> ssl.SSLContext:
    """Return the context of this process; it is created in a worker thread."""
    if _default is not None:
        return _default
    return await asyncio.get_running_loop().run_in_executor(None, build_default_context)


def _build_native_context() -> ssl.SSLContext | None:
    """Return a context with which the system verifies certificates; None if unavailable or overridden."""
    is_given = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
    if sys.platform not in _HAVE_OWN_STORE or is_given or importlib.util.find_spec("truststore") is None:
        return None
    truststore: Any = importlib.import_module("truststore")  # optional, and only for these systems
    context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return context


def _unverified_context() -> ssl.SSLContext:
    """Return the context of this process that verifies nothing; created in 0.2 ms, so without thread and lock."""
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
    """Create the file for the TLS keys, readable only by its owner, unless a suitable file exists.

    OpenSSL itself would wait for the reader of a FIFO, and write the keys to another user's file.
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
    """The result of the TLS handshake of a connection.

    Attributes:
        version: the protocol, such as "TLSv1.3".
        cipher: the cipher suite, such as "TLS_AES_256_GCM_SHA384".
        alpn: the protocol chosen by ALPN (RFC 7301); None if none was.
        certificate: the server's certificate as parsed by `ssl.SSLSocket.getpeercert()`; None if certificates are not
            verified (`ssl=False`, a fingerprint), because ssl parses only verified ones.
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
