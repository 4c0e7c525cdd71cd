"""Run a program with compat in the place of http.client: see command.py."""

from __future__ import annotations

from .command import main

if __name__ == "__main__":
    main()
