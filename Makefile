# One command each: run, test, check, bench. Every one makes the environment first when it is missing or out of date.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test check bench requirements clean

run: .venv/ready
	@exec $(BIN)/python -m webapp

test: .venv/ready-dev
	$(BIN)/python -m pytest

check: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/djlint --lint templates

bench: .venv/ready-dev
	$(BIN)/python -m benchmarks.submit_to_fragment

# Rewrites the pinned files from the ranges in pyproject.toml.
requirements: .venv/ready-dev
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-header --upgrade pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-header --upgrade pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt

clean:
	rm -rf .venv

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Dumbwaiter needs Python 3.11 or newer; this is $$($(PYTHON) --version). Name another one: make run PYTHON=python3.12"; exit 1; }
	@echo "Creating the environment in .venv (once) ..."
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/ready: requirements.txt | .venv/bin/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/ready-dev: requirements-dev.txt .venv/ready
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
