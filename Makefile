# The same commands on a developer's machine and in CI. `make help` lists them.

# The newest Python that runs: a name on the path may be a stand-in (of pyenv, say) with nothing behind it.
PYTHON ?= $(shell for python in python3.14 python3.13 python3.12 python3.11; do \
	$$python -c '' 2>/dev/null && echo $$python && exit; done; echo python3)
VENV := .venv
BIN := $(VENV)/bin
NODE := $(VENV)/node
TSC := $(NODE)/node_modules/.bin/tsc
PYTEST_WORKERS ?= 2
# Older versions of node take .js for modules only when told so; newer ones see it, and do not know the flag.
NODE_MODULES = $(shell node --experimental-default-type=module -e 0 2>/dev/null && echo --experimental-default-type=module)

.DEFAULT_GOAL := help
.PHONY: help run test lint format types client bench torture wheel-check test-pythons screenshots browser node clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.installed  ## Serve examples/ on http://127.0.0.1:8000
	$(BIN)/promptgrimoire run examples

test: $(VENV)/.development node browser lint types client  ## Lint, types, JavaScript and Python tests
	$(BIN)/python -m pytest -q -n $(PYTEST_WORKERS) --dist loadfile

lint: $(VENV)/.development  ## ruff: mistakes and layout
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.development  ## Put code into the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.development  ## mypy --strict on the package and the tests
	$(BIN)/mypy --strict promptgrimoire tests

# Without node (and without root to install it) this part is skipped and says so; with CI=true that is a failure.
client: $(BIN)/python  ## Types and tests of the JavaScript client, types of the examples' scripts
	@if ! command -v node >/dev/null; then \
		echo "node is not installed: the tests of the JavaScript client are skipped"; [ "$$CI" != true ]; \
	else \
		$(TSC) -p tests/client/tsconfig.json && $(BIN)/python -m tests.client.inline_scripts $(TSC) \
			&& node $(NODE_MODULES) --test $$(find tests/client -name '*.test.js'); \
	fi

bench: $(VENV)/.development  ## Measure against bare Starlette/uvicorn; writes docs/benchmarks.md
	$(BIN)/python -m tests.bench

torture: $(VENV)/.development  ## The long runs: a hundred kill -9, 100,000 fuzzed frames, every small state, random stories
	GRIMOIRE_TORTURE=1 $(BIN)/python -m pytest -q -m torture

wheel-check: $(VENV)/.development  ## Build the wheel, install it elsewhere, look inside
	$(BIN)/python tests/wheel_check.py

test-pythons:  ## What depends on the interpreter, on every Python from 3.11 on that can be found
	sh tests/pythons.sh

screenshots: $(VENV)/.development browser  ## Make the pictures of the README and the examples anew
	$(BIN)/python -m tests.docs.screenshot
	$(BIN)/python -m tests.examples.screenshots

clean:  ## Remove what make has made
	rm -rf $(VENV) .venv-3.* build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

# ---------------------------------------------------------------- what has to be there first

# Debian ships venv in a package of its own.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "promptgrimoire needs Python 3.11 or newer; found: $$($(PYTHON) --version 2>&1)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq python3-venv; \
	else echo "Python lacks venv. Please run: sudo apt-get install python3-venv"; exit 1; fi
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	@touch $@

$(VENV)/.development: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.installed

browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && apt-get install -y -qq chromium; \
	else echo "Chromium is not installed: the tests that need a browser are skipped"; fi

node:
	@command -v npm >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && apt-get install -y -qq nodejs npm; \
	else echo "node and npm are not installed"; fi
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(NODE)/.installed; fi

# typescript for the client's types, axe-core for the tests in Chromium.
$(NODE)/.installed: tests/client/package.json tests/client/package-lock.json
	mkdir -p $(NODE)
	cp $^ $(NODE)
	npm ci --silent --no-audit --no-fund --prefix $(NODE)
	@touch $@
