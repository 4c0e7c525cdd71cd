from pathlib import Path

import pytest

from tests.cli.running import Command
from tests.servers import Certificates


@pytest.fixture
def command(capfdbinary: pytest.CaptureFixture[bytes]) -> Command:
    return Command(capfdbinary)


@pytest.fixture
def tls_file(tls: Certificates, tmp_path: Path) -> Path:
    path = tmp_path / "authority.pem"
    path.write_bytes(tls.ca.cert_pem.bytes())
    return path
