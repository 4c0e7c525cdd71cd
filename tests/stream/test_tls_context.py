"""The contexts that this package makes: the same rules on every Python, and the facts about a certificate."""

import datetime
import hashlib
import ipaddress
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from asyncclient import Client, HTTPConnection, HTTPSConnection, TLSError, create_tls_context
from asyncclient.stream.tls import build_default_context
from asyncclient.testing import RawConnection, RawServer
from tests.servers import Certificates

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
START = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
END = datetime.datetime(2099, 1, 1, tzinfo=datetime.UTC)


class LooseAuthority:
    """An authority like many in companies: without the key identifiers that RFC 5280 §4.2.1 demands."""

    def __init__(self, directory: Path) -> None:
        self.ca, self.chain = directory / "ca.pem", directory / "chain.pem"
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loose authority")])
        ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        basic = x509.BasicConstraints(ca=True, path_length=None)
        ca = self._build(name, name, ca_key).add_extension(basic, critical=True).sign(ca_key, hashes.SHA256())
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leaf")])
        leaf = self._build(subject, name, key).add_extension(alternative, critical=False).sign(ca_key, hashes.SHA256())
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        self.ca.write_bytes(ca.public_bytes(pem))
        secret = key.private_bytes(pem, pkcs8, serialization.NoEncryption())
        self.chain.write_bytes(leaf.public_bytes(pem) + secret)

    def _build(self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> Any:
        return (
            x509.CertificateBuilder(issuer, subject, key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(START)
            .not_valid_after(END)
        )

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain)
        return context


def reply(peer: RawConnection) -> None:
    peer.read_head()
    peer.send(OK)


@pytest.mark.parametrize("strict", [False, True])
async def test_certificates_that_break_rfc_5280_are_refused_only_by_choice(tmp_path: Path, strict: bool) -> None:
    authority = LooseAuthority(tmp_path)
    with RawServer(reply, tls=authority.server_context()) as server:
        async with Client(ssl=create_tls_context(authority.ca, strict=strict), timeout=10) as client:
            if strict:
                with pytest.raises(TLSError, match="certificate verify failed") as raised:
                    await client.get(server.url)
                assert not hasattr(raised.value, "__notes__")  # to trust its authority would not help
            else:
                assert (await client.get(server.url)).content == b"ok"


def test_the_rules_of_a_context_are_the_same_on_every_python() -> None:
    for context in (create_tls_context(), build_default_context()):
        assert context.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN
        assert not context.verify_flags & ssl.VERIFY_X509_STRICT
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert create_tls_context(strict=True).verify_flags & ssl.VERIFY_X509_STRICT


@pytest.mark.parametrize("is_verified", [True, False])
async def test_the_certificate_is_available_in_der_verified_or_not(tls: Certificates, is_verified: bool) -> None:
    context = tls.server_context()
    with RawServer(reply, tls=context) as server:
        expected = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((server.host, server.port)))
        async with Client(ssl=tls.client_context() if is_verified else False, timeout=10) as client:
            found = (await client.get(server.url)).tls
        assert found is not None
        assert found.certificate_der == expected
        assert (found.certificate is not None) is is_verified
        pin = hashlib.sha256(expected).hexdigest()
        async with Client(ssl=pin, timeout=10) as client:
            assert (await client.get(server.url)).content == b"ok"


@pytest.mark.parametrize("value", ["/etc/ca.pem", ["/etc/ca.pem", "/etc/key.pem"], 7, Path("/etc/ca.pem")])
def test_the_error_for_a_path_as_context_shows_the_right_form(value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"create_tls_context\(cafile=\.\.\.\)"):
        Client(ssl=value)


@pytest.mark.parametrize("value", ["/etc/ca.pem", True, False])
def test_a_connection_takes_a_context_and_nothing_else(value: Any) -> None:
    with pytest.raises(TypeError, match=r"expected an SSLContext as context, got (str|bool)"):
        HTTPSConnection("localhost", context=value)
    if isinstance(value, str):
        with pytest.raises(TypeError, match="expected an SSLContext or a bool as proxy_ssl, got str"):
            HTTPConnection("localhost").set_tunnel("other", proxy_ssl=value)  # type: ignore[arg-type]


async def test_the_error_for_an_unknown_authority_says_how_to_trust_it(tls: Certificates) -> None:
    with RawServer(reply, tls=tls.server_context()) as server:
        async with Client(timeout=10) as client:
            with pytest.raises(TLSError, match="certificate verify failed") as raised:
                await client.get(server.url)
    (note,) = raised.value.__notes__
    assert note == "Client(ssl=asyncclient.create_tls_context(cafile=...)) trusts the authorities of a file"


def test_the_error_for_a_missing_file_of_authorities_names_it() -> None:
    with pytest.raises(FileNotFoundError, match=r"'none\.pem'$"):
        create_tls_context("none.pem")
