"""A transcript of what http.client does: `python -m tests.compat.transcript [SECTION…]`, with compat or without.

Without names it tells all sections that one process can tell and that are to be the same. Each begins with a line of
its own, so two transcripts can be compared section by section.
"""

import faulthandler
import sys

from tests.compat.transcript.report import ALONE, DIFFERING, SECTIONS, tell
from tests.compat.transcript.scenes import HEADING

PATIENCE = 100.0  # seconds, then it says where it stands


def main(names: list[str]) -> None:
    if not ALONE.keys() & names:  # its thread would be one too many to fork
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
    for name in names or SECTIONS:
        print(f"{HEADING}{name}")
        tell({**SECTIONS, **DIFFERING, **ALONE}[name])
    faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    main(sys.argv[1:])
