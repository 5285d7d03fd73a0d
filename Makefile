# Everything a person does with this repository. `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --disable-pip-version-check --quiet -c constraints.txt
PORT ?= 8000

$(VENV)/.installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Likewise needs Python 3.11 or newer, and none was found." >&2; exit 1; }
	@echo "Installing what Likewise needs into $(VENV) (a few minutes, once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "Installing what the tests need ..."
	@$(PIP) -e '.[dev]'
	@touch $@

.PHONY: install
install: $(VENV)/.installed  ## Install everything `make run` needs; start nothing

.PHONY: run
run: $(VENV)/.installed  ## Install, set up, load the sample project, serve on 127.0.0.1:8000 with a worker
	@$(BIN)/likewise demo --no-wait
	@exec $(BIN)/likewise serve --port $(PORT)

# A file at a time on each core; torch's threads would only be in the way of the other process.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile \
	--no-loadscope-reorder

# The tests of scripts need Node.js 20 and no packages; without it, Chromium runs the scripts alone.
.PHONY: test-js
test-js:  ## The unit tests of the scripts, where Node.js is installed
	@if command -v node >/dev/null; then node --test tests/js/*.test.js; \
	else echo "Skipped the unit tests of the scripts: Node.js is not installed."; fi

.PHONY: test
test: test-js $(VENV)/.installed-dev  ## The tests: on SQLite, in Chromium, and on a real Postgres
	$(PYTEST) tests
	TEST_DATABASE_URL=postgres $(PYTEST) tests -m "not slow and not browser and not once and not sweep"

# Left out: a browser, servers and commands as processes, kills, learning, and a second database.
NOT_FAST := tests/browser tests/commands tests/jobs tests/training tests/versions tests/maps \
	tests/worst_day tests/ml tests/exchange tests/test_cli.py tests/test_worker.py \
	tests/test_wheel.py tests/test_migrations.py tests/test_the_loop.py tests/test_benchmarks.py

.PHONY: test-fast
test-fast: test-js $(VENV)/.installed-dev  ## A first look while you work: no browser, no processes, no training; SQLite only
	$(PYTEST) tests $(addprefix --ignore=,$(NOT_FAST)) -m "not slow and not browser and not sweep"

.PHONY: test-all
test-all: test-js $(VENV)/.installed-dev  ## The tests, and the long ones too
	HYPOTHESIS_PROFILE=seeking $(PYTEST) tests -m ""
	TEST_DATABASE_URL=postgres $(PYTEST) tests -m "not once"

.PHONY: check
check: $(VENV)/.installed-dev  ## Style, types, layers, dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pip check
	$(BIN)/python -m pytest -q tests/test_structure.py
	$(BIN)/djlint templates --lint --quiet
	@$(MAKE) --no-print-directory lint-js

# An npm that cannot reach its registry leaves the syntax to check.
.PHONY: lint-js
lint-js:  ## The rules for scripts, where Node.js and npm are installed
	@if ! command -v npm >/dev/null; then \
		echo "Skipped the rules for scripts: Node.js with npm is not installed."; \
	elif [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --silent; then \
		node_modules/.bin/eslint; \
	else \
		echo "Checked the syntax of the scripts alone: npm could not install ESLint."; \
		find static/js tests/js -name '*.js' -print0 | xargs -0 -n 1 node --check; \
	fi

.PHONY: coverage
coverage: $(VENV)/.installed-dev  ## The tests on SQLite, and how much of the code they run; htmlcov/index.html
	$(PYTEST) tests --cov --cov-report=term --cov-report=html

.PHONY: smoke-wheel
smoke-wheel: $(VENV)/.installed-dev  ## Build the wheel, install it elsewhere and use it; SMOKE=--quick: without its packages
	$(BIN)/python tests/smoke_wheel.py $(SMOKE)

PARTS := tuning calibration unseen scale memory deep embedding effort reranking sessions labeling map loop exchange pages figures

.PHONY: bench
bench: $(VENV)/.installed-dev  ## The figures, measured on this machine; one part: make bench PART=tuning
	@for name in $(or $(PART),$(PARTS)); do \
		echo "== $$name"; $(BIN)/python benchmarks/$$name.py || exit 1; done

.PHONY: bench-smoke
bench-smoke: $(VENV)/.installed-dev  ## Run every benchmark on small, generated data, to see that it works
	$(BIN)/python benchmarks/smoke.py

.PHONY: docs
docs: $(VENV)/.installed  ## The documentation as a site, in site/
	@$(PIP) -e '.[docs]'
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: pictures
pictures: $(VENV)/.installed-dev  ## Take the pictures of docs/gallery.md again
	$(BIN)/python benchmarks/gallery.py

.PHONY: words
words: $(VENV)/.installed  ## Every text that a person can read, with its place
	@$(BIN)/python tests/visible_text.py

.PHONY: help
help:  ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12
