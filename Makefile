# make demo   a cluster of three nodes and a chat prompt
# make test   all tests
# make drills  three servers in network namespaces: nodes, Redis and Sentinels that die, freeze and are cut off
# make torture SECONDS=60 SEED=1   nodes in trouble and under load, and whether anything is lost
# make simulate SEEDS=2000 FIRST=0   lives of a whole cluster in virtual time; a seed that fails is told, and runs again alone
# All set up what they need in .venv first, from python3 and the package registry alone.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
NODES ?= 3
SECONDS ?= 60
SEED ?= 1
SEEDS ?= 2000
FIRST ?= 0

.PHONY: demo test drills simulate torture install check bench bench-failover reference lock clean

demo: $(READY)
	@$(BIN)/hachat demo --nodes $(NODES)

# On up to four processors; `pytest` alone takes one, and shows what a test prints.
test: $(READY)
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

drills: $(READY)
	$(BIN)/python -m pytest tests/whole/drills -m drill --numprocesses auto --maxprocesses 4 --dist worksteal

simulate: $(READY)
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --first $(FIRST)

torture: $(READY)
	$(BIN)/python -m tests.whole.torture --seconds $(SECONDS) --seed $(SEED)

install: $(READY)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python -m tests.benchmarks

# A .venv without its mark was interrupted or is out of date: it is made anew. Only replies may go to stdout.
$(READY): pyproject.toml requirements.lock
	@echo "setting up $(VENV), once" >&2
	@rm -rf $(VENV)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "hachat needs Python 3.11 or newer: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) >&2 || { echo "python's venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . >&2
	@touch $@

# The bot's silence in each kind of failover; wants a quiet machine, and to be root or to be allowed namespaces.
bench-failover: $(READY)
	$(BIN)/python -m tests.benchmarks.silence

# After a change of the docstrings that docs/reference.md is made of.
reference: $(READY)
	$(BIN)/python -m tests.docs.reference

# After a change of the dependencies in pyproject.toml.
lock:
	$(PYTHON) -m venv .build/lock
	.build/lock/bin/python -m pip install --quiet pip-tools
	CUSTOM_COMPILE_COMMAND="make lock" .build/lock/bin/pip-compile --quiet --all-extras --strip-extras --generate-hashes --allow-unsafe \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --upgrade --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) .build .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
