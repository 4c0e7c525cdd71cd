"""A middleware that signs requests as Amazon Web Services expect it (version 4)."""

import argparse
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit

from asyncclient import CallNext, Client, Request, Response, run


@dataclass(frozen=True)
class AWSSigner:
    """Signs each request for one service in one region; the body must be in memory."""

    key: str
    secret: str = field(repr=False)
    region: str
    service: str

    async def __call__(self, request: Request, call_next: CallNext) -> Response:
        data = b"" if request.payload is None else request.payload.data
        if data is None:
            raise ValueError("expected a body in memory, which can be signed")
        fields = self.sign(
            request.method, request.url, {}, bytes(data), datetime.now(UTC)
        )
        return await call_next(request.replace(headers=fields, follow_redirects=False))

    def sign(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        when: datetime,
    ) -> dict[str, str]:
        """Return Authorization, X-Amz-Date and, for S3, the hash of the body."""
        moment, digest = (
            when.strftime("%Y%m%dT%H%M%SZ"),
            hashlib.sha256(body).hexdigest(),
        )
        added = {"X-Amz-Date": moment}
        if self.service == "s3":
            added["X-Amz-Content-SHA256"] = digest
        signed = {"host": urlsplit(url).netloc.rpartition("@")[2]}
        signed |= {
            name.lower(): " ".join(value.split())
            for name, value in [*headers.items(), *added.items()]
        }
        names = ";".join(sorted(signed))
        scope = f"{moment[:8]}/{self.region}/{self.service}/aws4_request"
        canonical = self._describe(method, url, signed, digest)
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
        signature = _hmac(self._derive_key(scope), text).hex()
        credentials = f"Credential={self.key}/{scope}, SignedHeaders={names}"
        credentials += f", Signature={signature}"
        return {**added, "Authorization": f"AWS4-HMAC-SHA256 {credentials}"}

    def _describe(
        self, method: str, url: str, signed: Mapping[str, str], digest: str
    ) -> str:
        """Return the canonical request."""
        parts = urlsplit(url)
        path = parts.path or "/"
        if self.service != "s3":  # all others encode the path twice
            path = quote(path, safe="/-_.~")
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        query = "&".join(
            sorted(f"{_encode(name)}={_encode(value)}" for name, value in pairs)
        )
        lines = [f"{name}:{value}" for name, value in sorted(signed.items())]
        return "\n".join(
            [method, path, query, *lines, "", ";".join(sorted(signed)), digest]
        )

    def _derive_key(self, scope: str) -> bytes:
        key = f"AWS4{self.secret}".encode()
        for part in scope.split("/"):
            key = _hmac(key, part)
        return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _encode(text: str) -> str:
    return quote(text, safe="-_.~")


async def main(url: str) -> None:
    signer = AWSSigner("AKIDEXAMPLE", "a secret", region="us-east-1", service="s3")
    async with Client(base_url=url, middlewares=[signer]) as client:
        response = await client.get("/echo", params={"list-type": 2})
        fields = dict(response.json()["fields"])
    print(fields["Authorization"].split("/")[0])
    print(fields["X-Amz-Content-SHA256"] == hashlib.sha256(b"").hexdigest())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    run(main(parser.parse_args().url))
