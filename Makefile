# charnn: the same commands a person and CI run. `make demo` and `make test` need nothing but Python.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check -q
DEMO_MINUTES ?= 2
DEMO_RUN ?= demo
# as many processes as cores, each with torch on one thread; four hold 1.5 GB between them
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

# real texts for tests and benchmarks, where they lie beside the project
ifneq ($(wildcard ../shared/corpora),)
export CHARNN_TEXTS ?= $(abspath ../shared/corpora)
endif

.PHONY: help setup demo test lint quick bench clean

help:
	@echo "make demo    install, train on the bundled text for about two minutes, write a sample"
	@echo "make test    install, then every check: format, lint, types, tests"
	@echo "make setup   install with the tools for development into .venv"
	@echo "make quick   the fast tests alone"
	@echo "make bench   the benchmarks that take minutes, not hours"
	@echo "make clean   remove .venv and caches; runs and texts stay"

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "charnn needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	@touch $@

.venv/run: .venv/python setup.cfg pyproject.toml constraints.txt
	@echo "installing into .venv; torch is large, this may take minutes"
	$(PIP) install -c constraints.txt -e '.[fast]' || $(PIP) install -c constraints.txt -e .
	@touch $@

.venv/dev: .venv/python setup.cfg pyproject.toml constraints.txt
	@echo "installing into .venv; torch is large, this may take minutes"
	$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@ .venv/run

setup: .venv/dev

demo: .venv/run
	@name=$(DEMO_RUN); n=1; while [ -e checkpoints/$$name ]; do n=$$((n + 1)); name=$(DEMO_RUN)-$$n; done; \
	$(BIN)/charnn train corpora/meongnae.txt --run $$name --minutes $(DEMO_MINUTES) && \
	echo && $(BIN)/charnn generate -m $$name --temp 0.8 -n 400 "섭섭이는"

lint: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

test: lint
	$(PYTEST)

quick: .venv/dev
	$(PYTEST) -m "not slow"

bench: .venv/dev
	$(BIN)/python benchmarks/tokenizers.py corpora/meongnae.txt
	$(BIN)/python benchmarks/generation.py
	$(BIN)/python benchmarks/kill.py
	$(BIN)/python benchmarks/fuzz.py
	$(BIN)/python benchmarks/learning.py meongnae.txt --minutes 1

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
