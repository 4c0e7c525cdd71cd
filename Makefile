# Everything is installed into $(VENV); a stamp file per dependency group avoids installing twice.

PYTHON ?= python3
VENV ?= .venv
CHECKS ?= format lint types tests
URL ?=
LIBRARIES ?=
ROWS ?=
ROUNDS ?=
OPTIONS ?=

BIN = $(VENV)/bin
PY = $(BIN)/python
TYPED = $(wildcard asyncclient compat tests benchmarks examples)
TOO_OLD = import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")
HAS = $(VENV)/.installed-
WORKERS ?= auto
SPREAD = -n $(WORKERS) --dist=worksteal
OURS = --ignore=tests/conformance/test_cpython.py -m "not costs"

export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_NO_INPUT = 1
# The tests start hundreds of interpreters; with this setting each of them would compile every module again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test check check-format check-lint check-types check-tests check-usual-tests format cover costs bench run-bench bench-check bench-record docs pictures conformance \
	conformance-libraries check-libraries fuzz dist try-archive audit report-audit clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-21s  %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

run: $(HAS)demo ## fetch from a demo server, or from URL="https://… https://…"
	@$(PY) -m asyncclient demo $(URL)

test: $(HAS)test ## run the tests, all but CPython's own, on as many cores as there are (or WORKERS=n)
	@$(PY) -m pytest -q $(SPREAD) $(OURS)

check: $(addprefix check-,$(CHECKS)) ## format, lint, types, and the tests with --full: both loops, more examples

check-format: $(HAS)check
	@$(BIN)/ruff format --check .

check-lint: $(HAS)check
	@$(BIN)/ruff check .

check-types: $(HAS)check
	@$(BIN)/mypy $(TYPED)
	@$(BIN)/basedpyright --pythonpath $(PY)

check-tests: $(HAS)test
	@$(PY) -m pytest -q --full $(SPREAD) $(OURS)

check-usual-tests: $(HAS)test
	@$(PY) -m pytest -q $(SPREAD) $(OURS)

format: $(HAS)check ## format the sources and apply the automatic fixes of lint
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

cover: $(HAS)test ## branch coverage; 100 % of message/ and exchange/
	@$(BIN)/coverage run -m pytest -q --full $(OURS)
	@$(BIN)/coverage report
	@$(BIN)/coverage report --include='asyncclient/message/*,asyncclient/exchange/*' --fail-under=100

costs: $(HAS)test ## run the tests with limits on CPU and memory; the machine should be idle
	@$(PY) -m pytest -q -m costs

bench: ## compare with other clients, in separate venvs: ROWS="hundred tls" ROUNDS=3 OPTIONS="--quick"
	@$(MAKE) --no-print-directory $(VENV)-niquests/.installed-niquests VENV=$(VENV)-niquests
	@$(MAKE) --no-print-directory run-bench VENV=$(VENV)-bench NIQUESTS=$(VENV)-niquests/bin/python

run-bench: $(HAS)bench
	@$(PY) -m benchmarks.run $(ROWS) $(if $(ROUNDS),--rounds $(ROUNDS)) --niquests $(NIQUESTS) $(OPTIONS)

bench-check: $(HAS)test ## compare instructions per step and bytes per idle connection with what the repository records
	@$(PY) -m benchmarks.check

bench-record: $(HAS)test ## record what the steps cost on this version of Python
	@$(PY) -m benchmarks.check --record

docs: $(HAS)docs ## build the documentation; a warning is an error
	@$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

pictures: $(HAS)test ## make the pictures of the documentation again, from real runs
	@$(PY) -m docs.pictures

conformance: $(HAS)test ## compare with other parsers; run CPython's tests on compat and on the engine's stream
	@$(PY) -m pytest -q $(SPREAD) tests/conformance

conformance-libraries: ## run the tests of urllib3, requests and others on compat, in a separate venv
	@$(MAKE) --no-print-directory check-libraries VENV=$(VENV)-libraries

check-libraries: $(HAS)libraries
	@$(PY) -m tests.conformance.libraries $(LIBRARIES)

fuzz: $(HAS)test ## run the fuzz tests with many examples
	@HYPOTHESIS_PROFILE=fuzz $(PY) -m pytest -q $(SPREAD) --timeout=900 tests/fuzz

dist: $(HAS)dist ## build wheel and sdist, check them, and install each into an empty venv
	@rm -rf dist
	@$(PY) -m build --quiet --outdir dist .
	@$(BIN)/twine check --strict dist/*
	@for archive in dist/*; do $(MAKE) --no-print-directory try-archive ARCHIVE=$$archive VENV=$(VENV)-dist || exit; done

try-archive:
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PY) -m pip install -qq $(ARCHIVE)
	@cd $(VENV) && bin/asyncclient --version && bin/python -c 'import asyncclient, compat; asyncclient.Client; compat.Client'

# The project itself is removed before: --strict would refuse it until its version is on the index.
audit: $(HAS)audit ## look for known vulnerabilities in what the project and its extras install; needs the package index
	@$(PY) -m venv --clear $(VENV)-audit
	@$(VENV)-audit/bin/python -m pip install -qq --upgrade pip '.[all]'
	@$(VENV)-audit/bin/python -m pip uninstall -qq --yes asyncclient-http
	@$(MAKE) --no-print-directory report-audit

# pip-audit ends with 1 for a vulnerability, and also, with a traceback, without an answer of the index.
report-audit:
	@folder=$$($(VENV)-audit/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'); \
	$(BIN)/pip-audit --strict --progress-spinner off --path "$$folder" >$(VENV)-audit/report 2>&1; status=$$?; \
	if [ $$status -eq 0 ] || grep -q '^Found [0-9]' $(VENV)-audit/report; then cat $(VENV)-audit/report; exit $$status; fi; \
	echo "audit: nothing was checked, the package index gave no data about vulnerabilities: $$(tail -n 1 $(VENV)-audit/report)"; \
	exit 3

clean: ## remove all generated files
	@rm -rf $(VENV) .venv-* build dist docs/_build htmlcov .coverage .hypothesis .pytest_cache .mypy_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@$(PYTHON) -c '$(TOO_OLD)'
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install -qq --upgrade 'pip>=25.1'

$(HAS)%: pyproject.toml | $(PY)
	@echo "installing the group $* into $(VENV)"
	@$(PY) -m pip install -qq --editable . --group $*
	@touch $@
