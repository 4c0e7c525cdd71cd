"""All scenes of the transcript: importing this module registers them."""

import importlib

HEADING = "=== "

MODULES = (
    "documentation",
    "requests",
    "bodies",
    "responses",
    "states",
    "failures",
    "tls_and_tunnels",
    "threads_and_processes",
    "signals",
    "replaced_sockets",
    "overridden_methods",
    "standard_library",
    "deviations",
)
for module in MODULES:
    importlib.import_module(f"tests.compat.transcript.{module}")
