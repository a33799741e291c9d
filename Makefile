# What a developer does here, by verb. 'make help' lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# -P: our folder names are common words, and the current directory must not decide which ones are imported.
PY := .venv/bin/python -P
# The tests start hundreds of interpreters: where bytecode is forbidden, each would compile all it imports; with a path
# of somebody's own, each would begin from nothing (tests/support/warm_commands.py).
PYTEST = env -u PYTHONDONTWRITEBYTECODE -u PYTHONPATH $(PYTEST_ENV) TZ=Pacific/Chatham $(PY) -m pytest
# Twice as many as there are cores: many tests wait for processes of theirs.
TEST_PROCESSES := $(shell echo $$((2 * $$(nproc))))
# Thousands of tests with real processes share a few cores: what failed is run once more, alone and to the first that
# fails again. What passes then is told above, with its failure, and is a defect to be found, though not of this change.
ONCE_MORE = { code=$$?; [[ $$code == 1 ]] || exit $$code; \
	echo "== once more, alone: the tests that failed above"; \
	$(PYTEST) -n 0 -v --last-failed --last-failed-no-failures none --maxfail 1 $(TEST_ARGS); }
# Each becomes a module beside it (setup.py).
COMPILED := $(wildcard */*/_*.c)
UV := $(or $(shell command -v uv),.uv/bin/uv)

# Prints the path of a Python >= 3.11 (3.11 itself first: it is what we test), or says what is missing.
define FIND_PYTHON
for name in $${PYTHON:-} python3.11 python3; do \
	$$name -c 'import sys; sys.version_info < (3, 11) and sys.exit(1); print(sys.executable)' 2>/dev/null && exit; \
done; \
echo "atrader needs Python 3.11 or newer; 'python3' here is $$(python3 --version 2>&1 || true)." \
	"Install python3.11, or name one: make setup PYTHON=/path/to/python3.11" >&2; exit 1
endef
export PYTHON

.PHONY: help setup run oanda-sim test check format fault soak bench wheel lock clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.stamp ## make .venv with everything that running and testing need

.venv/.stamp: setup.cfg setup.py pyproject.toml uv.lock atrader/compiled_parts.py $(COMPILED) $(wildcard */*/_*.h) | $(UV)
	@python=$$($(FIND_PYTHON)); \
	echo "making .venv with $$python"; \
	unset VIRTUAL_ENV UV_PROJECT_ENVIRONMENT; \
	UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1 $(UV) sync --quiet --locked --all-extras --python "$$python"; \
	touch $@

.uv/bin/uv:
	@python=$$($(FIND_PYTHON)); \
	echo "uv is not installed; putting it into .uv"; \
	"$$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target .uv uv

run: setup ## the demonstration: a synthetic market and strategies on a paper account (DEMO_ARGS=...)
	@exec $(PY) -m manager.demo $(DEMO_ARGS)

oanda-sim: setup ## a simulator of OANDA v20 to try atrader without an account (SIM_ARGS=...)
	@PYTHONPATH="$(CURDIR)" exec $(PY) -m tests.oanda_simulator $(SIM_ARGS)

test: setup ## all tests but the long ones (TEST_ARGS=...)
	@$(PYTEST) -n $(TEST_PROCESSES) --dist loadscope --no-loadscope-reorder $(TEST_ARGS) || $(ONCE_MORE)

check: setup ## lint, formatting, imports between the folders, types
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/lint-imports --no-logo --no-cache
	@.venv/bin/mypy

format: setup ## mend what ruff can mend
	@.venv/bin/ruff check --fix
	@.venv/bin/ruff format

fault: setup ## only the named ways to die
	@$(PYTEST) -v tests/fault $(TEST_ARGS)

# Hours of CPU: what has passed is noted in .soak-passed, and a run that was ended goes on from there.
soak: PYTEST_ENV = PYTHONPATH="$(CURDIR)"
soak: setup ## the long tests (SOAK_FIRST=5000: other seeds than 1000 and up; TEST_ARGS=...)
	@$(PYTEST) -v -m soak --timeout=3600 -p tests.support.resuming --resume .soak-passed \
		-n $$(nproc) $(TEST_ARGS)
	@rm -f .soak-passed

bench: setup ## the measurements (BENCH=name for one, BENCH_ARGS=...)
	@for script in benchmarks/$(or $(BENCH),[a-z]*).py; do \
		echo "== $$script"; PYTHONPATH="$(CURDIR)" $(PY) "$$script" $(BENCH_ARGS); \
	done

wheel: setup ## build dist/*.whl
	@rm -rf build dist
	@$(PY) -m build --wheel --no-isolation --outdir dist .

lock: | $(UV) ## bring uv.lock up to date with setup.cfg (UPGRADE=1: and every package to its newest version)
	@$(UV) lock $(if $(UPGRADE),--upgrade)

clean: ## remove all that is made here, .venv too
	@rm -rf .venv .uv build dist $(COMPILED:.c=.*.so) *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage*
	@find . -name __pycache__ -prune -exec rm -rf {} +
