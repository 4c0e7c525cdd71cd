"""The names of asyncclient.crawl, which are imported on first use."""

import subprocess
import sys

import pytest

import asyncclient.crawl
from tests.servers import ROOT


def test_every_name_can_be_imported_and_is_listed() -> None:
    for name in asyncclient.crawl.__all__:
        assert getattr(asyncclient.crawl, name).__doc__
    assert set(asyncclient.crawl.__all__) <= set(dir(asyncclient.crawl))
    assert asyncclient.crawl.__all__ == sorted(
        asyncclient.crawl.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name)
    )


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'asyncclient\.crawl' has no attribute 'crawl_all'"):
        getattr(asyncclient.crawl, "crawl_all")  # noqa: B009


def test_importing_the_package_imports_none_of_its_modules() -> None:
    code = "import sys; import asyncclient.crawl; print(*sys.modules, sep='\\n')"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(result.stdout.split())
    assert "asyncclient.crawl" in loaded
    assert not {"selectolax", "sqlite3", "warcio", "protego", "rich", "xml.parsers.expat"} & loaded
    assert not [name for name in loaded if name.startswith("asyncclient.crawl.")]
