# Everything a fresh machine needs is Python 3.11, Java 17, Maven and make.
PYTHON ?= python3.11
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help

.PHONY: help
help:
	@echo "make demo       the whole story on sample photographs: about a minute after set-up"
	@echo "make test       lint, types and all quick tests"
	@echo "make test-deep  the property tests with 2,000 histories each, and all that is slow"
	@echo "make bench      benchmarks beside their peers"
	@echo "make bench-accuracy  recall and precision on attacked photographs, in both engines: most of an hour"
	@echo "make lint       ruff and mypy --strict"
	@echo "make clean      remove the environment and everything that was made"

$(READY): pyproject.toml requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $(READY)

.PHONY: install
install: $(READY)

.PHONY: demo
demo: $(READY)
	$(BIN)/crossfade demo

.PHONY: lint
lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: test
test: lint
	$(BIN)/pytest -m "not slow" --numprocesses 3 --dist loadfile --no-loadscope-reorder --durations=15

.PHONY: test-deep
test-deep: lint
	CROSSFADE_TEST_PROFILE=deep $(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

.PHONY: bench
bench: $(READY)
	$(BIN)/python -m bench

.PHONY: bench-accuracy
bench-accuracy: $(READY)
	$(BIN)/python -m bench.accuracy

.PHONY: clean
clean:
	rm -rf .venv out .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
