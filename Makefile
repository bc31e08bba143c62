# make demo    set everything up in .venv, and release the demo on an embedded PostgreSQL
# make test    set everything up in .venv, and run the tests; ARGS="-k rollback": only some of them
# make test-slow   the tests that take longer: whole releases of many shapes;
#                  TESTS_SLOW=1/4: every fourth one of them, the others with the next three commits
# make test-faults   runs that are struck in the middle: every command of every procedure, one blow at each place;
#                    OPS_FAULTS=1/12: at a twelfth of the places, another one with each commit
# make test-all   every test there is, every blow at every place: hours
# make railway-contract   the flags that are used, held against an installed railway CLI
# make lint    ruff, mypy, imports between packages, and the documentation: links, generated parts, wording
# make docs    serve the documentation at http://127.0.0.1:8000, renewed as it is edited
# make reference   write the generated parts of docs/reference/
# make loc     lines per package: code, docstrings and comments, blank
# make bench   measured ratios, side by side, then docs/explanation/performance.md: hours; ARGS=small: only its smallest case
# make pictures   draw docs/pictures/*.svg anew from what the demo prints
# make release   build wheel and sdist into dist/, check them, and run the demo from the installed wheel
# make lock    renew constraints.txt
# make clean   stop the embedded servers and remove what was made

PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export VIRTUAL_ENV := $(CURDIR)/.venv
# Invoke writes no compiled modules, so they are made here: every start of inv takes half the time.
unexport PYTHONDONTWRITEBYTECODE
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs

.PHONY: demo test test-slow test-faults test-all railway-contract lint docs reference loc bench lock clean setup

setup: .venv/ready
	@$(BIN)/python -m compileall -q ops

.venv/ready: constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup
	@$(BIN)/python demo/play.py

.PHONY: pictures release
pictures: setup
	@$(BIN)/python demo/pictures.py

release: setup
	@$(BIN)/python scripts/build_release.py

test: setup
	$(BIN)/python -m pytest $(ARGS)

test-slow: setup
	$(BIN)/python -m pytest -m slow $(ARGS)

test-faults: setup
	$(BIN)/python -m pytest -m faults $(ARGS)

test-all: setup
	$(BIN)/python -m tests.everything

railway-contract: setup
	$(BIN)/python -m tests.system.railway.contract

lint: setup
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python docs/site/reference.py --check
	$(BIN)/python docs/site/wording.py
	$(MKDOCS) build --strict

docs: setup
	$(MKDOCS) serve

reference: setup
	$(BIN)/python docs/site/reference.py

loc:
	@$(PYTHON) bench/loc.py

bench: setup
	@for file in start_up fingerprint backup release; do $(BIN)/python bench/$$file.py || exit 1; done
	$(BIN)/python bench/performance.py $(ARGS)
	@$(BIN)/python bench/swap.py

# The file holds exact versions with hashes and names no registry.
lock:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet pip-tools
	.venv-lock/bin/pip-compile --quiet --extra=demo --extra=test --extra=docs --allow-unsafe --all-build-deps --generate-hashes --strip-extras --no-header \
	  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-annotate --output-file=constraints.txt pyproject.toml
	rm -rf .venv-lock

clean:
	-$(BIN)/python demo/reset.py --stop
	rm -rf .venv .embedded build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
