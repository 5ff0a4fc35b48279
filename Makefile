# make test       everything, on real parts: what a change must pass
# make test-fast  what needs no real part, in under a minute
# make demo       the service on this machine, with made-up hospitals
# make bench, make screenshots, make recordings, make lock

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13; do $$p -c "" 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PARTS := $(PYTHON) tools/parts.py
UV = $$($(PARTS) uv | cut -d" " -f2)
ASSETS := $(shell find tools/assets -type f) package.json package-lock.json

# Where this is set, each process compiles everything that it imports anew: seconds, for each command and each worker.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: test test-fast check policies parts install assets demo recordings bench screenshots lock clean
.NOTPARALLEL:
.DELETE_ON_ERROR:

test: install assets check parts policies
	@echo "== tests"
	$(BIN)/python -m pytest

test-fast: install assets
	$(BIN)/python -m pytest -m "not real and not long" -n auto

check: install
	@echo "== format, lint, types, layers"
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy --strict
	$(BIN)/mypy --strict -p tools
	$(BIN)/lint-imports

policies:
	@echo "== policies"
	$(PYTHON) -m tools.policy.check

parts:
	@echo "== real parts (built once per machine: about 10 minutes the first time)"
	$(PARTS)

install: .stamps/installed

assets: .stamps/assets

demo: install assets
	$(BIN)/governance demo $(if $(ONCE),--once)

# What the demo plays: recorded anew from the end-to-end test.
recordings: install assets parts
	rm -rf build/recording
	GOVERNANCE_RECORD=$(CURDIR)/build/recording $(BIN)/python -m pytest tests/e2e
	$(BIN)/python tools/recordings.py build/recording

bench: install parts
	$(BIN)/python -m benchmarks

screenshots: install assets
	$(BIN)/python tools/screenshots.py

# Without addresses: a lock file names no package index.
lock:
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    --group dev pyproject.toml -o requirements.lock

clean:
	rm -rf .venv .stamps node_modules

.stamps/installed: requirements.lock pyproject.toml
	@echo "== Python packages"
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed on PATH"; exit 1; }
	test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) .venv
	$(UV) pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps -e .
	@mkdir -p .stamps && touch $@

.stamps/assets: $(ASSETS)
	@echo "== page assets"
	npm ci --no-audit --no-fund --ignore-scripts
	npm run --silent build
	@mkdir -p .stamps && touch $@
