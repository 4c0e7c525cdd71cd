"""Copies of errors that are stored: they keep nothing alive."""

import pytest

from asyncclient.errors import copy_error


class CopiedWhole(Exception):
    """An error whose copies keep everything, as those of all errors do where tblib is installed."""

    def __copy__(self) -> "CopiedWhole":
        fresh = CopiedWhole(*self.args).with_traceback(self.__traceback__)
        fresh.__cause__, fresh.__context__ = self.__cause__, self.__context__
        return fresh


class NotCopied(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(one + two)


def raised(error: Exception) -> Exception:
    try:
        try:
            raise KeyError("context")
        except KeyError as cause:
            raise error from cause
    except type(error) as caught:
        return caught


def test_a_copy_has_no_traceback_and_no_cause() -> None:
    error = raised(CopiedWhole("text"))
    fresh = copy_error(error)
    assert fresh is not error
    assert (type(fresh), fresh.args) == (CopiedWhole, ("text",))
    assert (fresh.__traceback__, fresh.__cause__, fresh.__context__) == (None, None, None)
    assert not fresh.__suppress_context__
    assert error.__traceback__ is not None


@pytest.mark.parametrize("error", [NotCopied(1, 2), ValueError("text"), ConnectionResetError(104, "reset")])
def test_an_error_is_copied_or_itself(error: Exception) -> None:
    fresh = copy_error(error)
    assert (type(fresh), fresh.args) == (type(error), error.args)
