# `make quickstart` and `make test` need nothing but Python 3.11 or later: each makes .venv on its first run.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORLD := runs/world-small
WORKERS ?= 2

.PHONY: help quickstart test lint pytest docs clean

help:
	@echo "make quickstart   a small world of videos, and a model that teaches itself from them (minutes)"
	@echo "make test         ruff, mypy, import-linter, pytest"
	@echo "make docs         the documentation, in site/"
	@echo "make clean        remove .venv, site and build folders (runs/ stays)"

$(READY): pyproject.toml tools/setup_env.py tools/constraints-cpu.txt tools/torchvision_ops_hook.py
	@test -n "$(PYTHON)" || { echo "tevo needs Python 3.11 or later: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) tools/setup_env.py $(VENV)
	@touch $@

quickstart: $(READY)
	$(BIN)/tevo world $(WORLD) --size small
	$(BIN)/tevo fit --config conf/quickstart.yaml

test: lint pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache

pytest: $(READY)
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile

docs: $(READY)
	$(PYTHON) tools/setup_env.py $(VENV) --editable ".[dev,docs]"
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) site build dist
