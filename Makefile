# Thin over the tools: what a target runs can be typed by hand.
SHELL := /bin/bash
BIN := .venv/bin
READY := .venv/.ready
SOURCES := src tests benchmarks packages
# Workers for the tests: `make test WORKERS=0` runs them in one process. Linear algebra has one thread
# in each: as many as there are cores, in every worker, would wait for one another.
WORKERS ?= auto

# Folder of reference values of the Rubin pipelines for `make agreement`.
REFERENCE ?= tests/reference_values/rubin

.DEFAULT_GOAL := help
.PHONY: help env demo notebooks test lint format check bench agreement physics faults pictures schemas news constraints clean

help: ## show this list
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

env: $(READY) ## make the environment in .venv (PYTHON=... chooses the interpreter)

demo: $(READY) ## simulate a small survey, coadd it and write a report; results in demo/
	$(BIN)/cellcoadd demo demo/

notebooks: $(READY) ## run docs/notebooks on what `make demo` left; results in demo/notebooks/
	$(BIN)/python docs/notebooks/run_notebooks.py demo/

test: $(READY) ## run the tests, a file to a process, in the order of tests/conftest.py
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

lint: $(READY) ## check style, spelling, types and who imports whom
	$(BIN)/ruff check
	$(BIN)/ruff check --preview --select DOC102,DOC501
	$(BIN)/ruff format --check
	$(BIN)/typos . .ci
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## put the code into its one format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

check: lint test ## lint, then test: what must pass before a change is handed in

bench: $(READY) ## run the benchmarks (15 minutes, 6 GB in build/standard, kept for the next time)
	for file in benchmarks/bench_*.py; do $(BIN)/python "$$file" || exit; done
	$(BIN)/python benchmarks/standard.py build/standard --visits 4 8 --full

agreement: $(READY) ## compare with the Rubin pipelines (REFERENCE=... names their values)
	$(BIN)/python -m cellcoadd.validation.agreement $(REFERENCE)

physics: $(READY) ## compare coadds of simulated skies with the truth (ten minutes, 5 GB)
	$(BIN)/python -m cellcoadd.validation.physics

faults: $(READY) ## kill, fill disks, race and damage files; see what becomes of it (forty minutes)
	$(BIN)/python -m cellcoadd.validation.faults

pictures: $(READY) ## draw the pictures of docs/algorithms again
	$(BIN)/python docs/algorithms/draw_pictures.py

schemas: $(READY) ## freeze the schemas of stored forms whose version is new
	$(BIN)/python -c 'from pathlib import Path; from lsst.images.serialization import write_frozen_schemas as w; \
	  print(*w(Path("schemas"), package="cellcoadd") or ["none is new"], sep="\n")'

news: $(READY) ## show the news that changes/ holds for the next release
	$(BIN)/towncrier build --draft

constraints: ## renew constraints.txt with the newest versions that pyproject.toml allows
	tools/make-constraints.sh

clean: ## remove all that these targets make
	rm -rf .venv demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(SOURCES) -name __pycache__ -prune -exec rm -rf {} +

$(READY): pyproject.toml packages/rubin-names/pyproject.toml constraints.txt
	tools/make-environment.sh .venv
	touch $@
