# Each target sets up what it needs, once, in .venv; a bare machine with Python 3.11 or later is enough.

PYTHON ?= python3
T ?=
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

DOCUMENTS := $(wildcard src/patql/providers/*/*/*.yaml src/patql/providers/*/*/services/*.yaml)
COMPILED := $(patsubst %/provider.yaml,%/compiled.json,$(filter %/provider.yaml,$(DOCUMENTS)))
COMPILER := packaging/compile_providers.py $(wildcard src/patql/catalog/*.py)

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench prove fmt lint types lock

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/dev $(COMPILED)  ## make .venv with everything that working on PatQL takes

demo: .venv/run $(COMPILED)  ## everything that the resource offers, against a fresh embedded authority
	@patql demo

test: .venv/dev $(COMPILED)  ## run the tests; T='tests/engine -k paging' for some of them
	pytest $(or $(T),-n auto)

check: lint types  ## everything that must hold before a change lands: lint, types, and the tests in their long form
	PATQL_LONG=1 $(MAKE) --no-print-directory test

bench: .venv/dev $(COMPILED)  ## run the benchmarks: a table here, JSON in bench/results
	python -m bench $(T)

prove: .venv/dev $(COMPILED)  ## prove, on both stores, that a revoked token is refused everywhere at once; T='--store sqlite'
	python -m tests.prove $(T)

fmt: .venv/dev  ## format the code, and mend what the linter can mend
	ruff check --fix .
	ruff format .

lint: .venv/dev  ## style, format, and the direction of imports
	ruff check .
	ruff format --check .
	lint-imports --no-cache

types: .venv/dev  ## mypy and pyright, both strict
	mypy
	pyright --pythonpath .venv/bin/python

lock:  ## choose the dependencies' versions anew
	$(PYTHON) -m venv .venv/uv
	.venv/uv/bin/pip install --quiet uv
	.venv/uv/bin/uv pip compile $(LOCK) --group build -o requirements/run.txt pyproject.toml
	.venv/uv/bin/uv pip compile $(LOCK) -c requirements/run.txt --group dev -o requirements/dev.txt pyproject.toml
	.venv/uv/bin/uv pip compile $(LOCK) --group gateways -o requirements/gateways.txt

LOCK := --quiet --upgrade --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

# Two stamps, since running PatQL takes far less than working on it. Byte code is compiled for src too, as pip does for
# everything else, so that the first command isn't the slow one.
.venv/run: requirements/run.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'PatQL needs Python 3.11 or later; name one: make PYTHON=python3.12 …' >&2; exit 1; }
	@echo 'Setting up .venv …'
	@$(PYTHON) -m venv .venv
	@.venv/bin/pip install --quiet --require-hashes -r requirements/run.txt
	@.venv/bin/pip install --quiet --no-deps --no-build-isolation -e .
	@.venv/bin/python -m compileall -q src
	@touch $@

.venv/dev: .venv/run requirements/dev.txt
	@echo 'Adding the tools …'
	@.venv/bin/pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

$(COMPILED): %/compiled.json: $(DOCUMENTS) $(COMPILER) | .venv/run
	@python packaging/compile_providers.py
