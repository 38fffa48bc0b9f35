# `make demo` and `make test` install what they need. The environment is in .venv, a copy of uv
# (if the machine has none) in .tools; nothing else on the machine is changed.

PYTHON ?= python3
UV_VERSION := 0.13.9
LOCAL_UV := .tools/uv-venv/bin/uv
UV := $(or $(shell command -v uv 2>/dev/null),$(LOCAL_UV))
BIN ?= .venv/bin
RUN ?= runs/demo
SHOTS ?= runs/screenshots
# Processes of the tests; 0 runs them in the process of pytest (for a debugger).
JOBS ?= 2
# One stamp for each set of packages in .venv. The developers' set adds to the run-time set.
RUNTIME := .venv/.stamp-runtime
DEV := .venv/.stamp-dev
INSTALL = $(UV) pip install --quiet --python .venv/bin/python
COMPILE = $(UV) pip compile pyproject.toml --python-version 3.12 --universal --generate-hashes \
  --no-emit-index-url --no-header --quiet $(ARGS)
SPHINX = $(BIN)/sphinx-build -W --keep-going --quiet -j auto -c docs
LINTERS := ruff format types imports docstrings spelling

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow lint $(LINTERS:%=lint-%) docs docs-links notebooks \
  picture screenshots gallery bench validation lock sbom audit lowest clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 16

setup: $(DEV)  ## install the package, its extras and the developers' tools into .venv

demo: $(RUNTIME)  ## fit the demo cohort; writes a report and maps to runs/demo
	$(BIN)/bayes-mdd demo --output $(RUN) --force

test: $(DEV)  ## run the tests (ARGS="-k word" selects; JOBS=0 uses one process)
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile $(ARGS)

test-slow: $(DEV)  ## run the slow calibration suites
	$(BIN)/python -m pytest -m slow --numprocesses $(JOBS) --dist loadfile $(ARGS)

lint: $(DEV)  ## check style, types, import contracts, docstrings and spelling
	@$(MAKE) --no-print-directory --keep-going $(LINTERS:%=lint-%)

docs: $(DEV)  ## build the documentation site in docs/_build/html; warnings are errors
	$(SPHINX) -b html . docs/_build/html $(ARGS)

docs-links: $(DEV)  ## check the links of the documentation to other sites (needs the network)
	$(SPHINX) -b linkcheck . docs/_build/links

notebooks: $(DEV)  ## execute the notebooks and store their pages in docs/notebooks (ARGS="07_which_drug" selects)
	OMP_NUM_THREADS=1 $(BIN)/python notebooks/render.py $(ARGS)

picture: $(DEV)  ## draw the picture of README and documentation from the demo run in runs/demo
	$(BIN)/python docs/draw_picture.py $(RUN) docs/images/demo.png

gallery: $(DEV)  ## draw the gallery of figures of the documentation from the demo run in runs/demo
	$(BIN)/python docs/draw_gallery.py --run $(RUN) --response-run $(RUN)/response_crossover $(ARGS)

screenshots: $(DEV)  ## take pictures of the reports of RUN and of the built docs (needs Chromium)
	$(BIN)/python docs/screenshots.py $(RUN) $(SHOTS)

bench: $(DEV)  ## time the fit of the demo cohort and of larger ones
	$(BIN)/python benchmarks/run.py $(ARGS)

validation: $(DEV)  ## write docs/validation and the figures in models/*.md from benchmarks/results
	$(BIN)/python benchmarks/validation_pages.py

# The smaller set is constrained by the larger one, so that both pin the same versions.
lock: | $(filter $(LOCAL_UV),$(UV))  ## write both lock files (ARGS="--upgrade" takes new versions)
	$(COMPILE) --extra dev --extra jax --extra harmonize --extra bcf --extra anndata --extra cluster --output-file requirements-dev.lock
	$(COMPILE) --constraints requirements-dev.lock --output-file requirements.lock

sbom: $(RUNTIME)  ## write the bill of materials of requirements.lock to dist/sbom.cdx.json
	$(BIN)/python supply_chain/sbom.py requirements.lock dist/sbom.cdx.json

audit: $(RUNTIME)  ## ask for known vulnerabilities of the locked packages (needs the network)
	$(BIN)/python supply_chain/audit.py $(UV) tool run pip-audit --requirement requirements.lock \
	  --require-hashes --disable-pip --progress-spinner off $(ARGS)

lowest: | $(filter $(LOCAL_UV),$(UV))  ## run the demo with the lowest versions that pyproject.toml allows
	rm -rf .venv-lowest
	$(UV) venv --quiet --python "$$(cat .python-version)" .venv-lowest
	$(UV) pip install --quiet --python .venv-lowest/bin/python --resolution lowest-direct .
	.venv-lowest/bin/bayes-mdd demo --output .venv-lowest/runs/demo

clean:  ## remove the environments, the local uv and the caches (runs/ stays)
	rm -rf .venv .venv-lowest .tools .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist docs/_build \
	  docs/api/generated

# Single linters install nothing, so that a test can run them in its own environment.
lint-ruff:
	$(BIN)/ruff check .
lint-format:
	$(BIN)/ruff format --check .
# The cache of mypy is shared by all checkouts of a user: it goes by the content of files.
lint-types:
	@cache="$${MYPY_CACHE_DIR:-$${XDG_CACHE_HOME:-$$HOME/.cache}/bayes-mdd/mypy}"; \
	mkdir -p "$$cache" 2>/dev/null && test -w "$$cache" || cache=.mypy_cache; \
	MYPY_CACHE_DIR="$$cache" $(BIN)/mypy
lint-imports:
	$(BIN)/lint-imports --no-logo
lint-docstrings:
	$(BIN)/numpydoc lint --config . $$(find bayes_mdd -name '*.py')
lint-spelling:
	$(BIN)/codespell

# The system's pip may refuse to install (PEP 668), so uv gets its own environment. pyenv would
# insist on the version in .python-version here; started from /, it offers any Python it has.
$(LOCAL_UV):
	here="$$(pwd)" && cd / && $(PYTHON) -m venv "$$here/.tools/uv-venv"
	.tools/uv-venv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# `install`, not `sync`: the demo must not remove the developers' tools. The package is built with
# the locked version of its build tool, in an environment of its own.
$(RUNTIME): pyproject.toml .python-version requirements.lock | $(filter $(LOCAL_UV),$(UV))
	test "$$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" \
	  = "$$(cat .python-version)" || { rm -rf .venv && $(UV) venv --quiet --python "$$(cat .python-version)" .venv; }
	$(INSTALL) --require-hashes --requirements requirements.lock
	$(INSTALL) --no-deps --build-constraints requirements-dev.lock --editable .
	touch $@

$(DEV): $(RUNTIME) requirements-dev.lock
	$(INSTALL) --require-hashes --requirements requirements-dev.lock
	touch $@
