"""The cells of the page about notebooks run in IPython, on a loop that runs already."""

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from asyncclient.testing import DemoServer
from tests.servers import ROOT

CELLS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "jupyter.md").read_text(), re.DOTALL)


async def test_the_cells_of_a_notebook_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell(config=config, user_module=ModuleType("notebook"))
    results: list[Any] = []
    async with DemoServer() as server:
        for cell in CELLS:
            code = shell.transform_cell(cell.replace("https://example.com", server.url))
            ended = await shell.run_cell_async(code, transformed_cell=code)
            ended.raise_error()
            results.append(ended.result)
    assert results == [None, 200, {200}, None]
