"""No message shows the user or the password of a URL."""

import pytest

from asyncclient import HTTPConnection, InvalidURL, Limits
from asyncclient.message.url import parse_url


@pytest.mark.parametrize("host", ["https://user:secret@h/", "user:secret@h", "user:secret@h:80", "user:secret@h:x"])
def test_host_that_is_refused_is_shown_without_credentials(host: str) -> None:
    with pytest.raises(InvalidURL) as caught:
        HTTPConnection(host)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["ftp://user:secret@h/", "http://user:secret@h:x/", "http://user:secret@/"])
def test_url_that_is_refused_is_shown_without_credentials(url: str) -> None:
    with pytest.raises(InvalidURL) as caught:
        parse_url(url)
    assert "secret" not in str(caught.value)


def test_url_is_refused_as_host() -> None:
    with pytest.raises(InvalidURL, match="expected a host, got a URL"):
        HTTPConnection("http://example.com/")


def test_max_response_headers_leaves_the_other_limits() -> None:
    connection = HTTPConnection("h", max_response_headers=3, limits=Limits(line=1000))
    assert connection.limits == Limits(line=1000, fields=3)


@pytest.mark.parametrize("blocksize", [0, -1])
def test_blocksize_is_at_least_one(blocksize: int) -> None:
    with pytest.raises(ValueError, match="blocksize"):
        HTTPConnection("h", blocksize=blocksize)
