"""A place in a program from where something was opened, for warnings about it."""

from __future__ import annotations

import sys
from types import CodeType
from typing import NamedTuple


class Caller(NamedTuple):
    """A place in a program, kept as code and offset: finding its line number takes longer."""

    code: CodeType
    offset: int

    @property
    def file(self) -> str:
        """The file of the code."""
        return self.code.co_filename

    @property
    def line(self) -> int:
        """The line number."""
        lines = (line for start, end, line in self.code.co_lines() if start <= self.offset < end and line)
        return next(lines, self.code.co_firstlineno)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def find_caller() -> Caller:
    """Return where the function that calls this was called."""
    frame = sys._getframe(2)
    return Caller(frame.f_code, frame.f_lasti)
