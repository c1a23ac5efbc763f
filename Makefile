## make demo   two real disk images copied and watched live, on an embedded PostgreSQL
## make test   every test, installing what they need; make check adds format, lint and types
## make bench  the benchmarks: peers side by side, printed as ratios
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin

help:
	@sed -n 's/^## //p' Makefile

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

# One stamp per lock: an environment is rebuilt only when its lock or the project's own metadata changes.
.venv/runtime: requirements/pip.txt requirements/runtime.txt pyproject.toml
	@.ci/apt-install module:ensurepip=python3-venv
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) --require-hashes -r requirements/pip.txt
	@$(PIP) --require-hashes -r requirements/runtime.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

.venv/test: .venv/runtime requirements/test.txt
	@$(PIP) --require-hashes -r requirements/test.txt
	@touch $@

sendensed/web/vendor/.ready: sendensed/web/package-lock.json .ci/build-web | .venv/runtime
	@.ci/build-web
	@touch $@

web: sendensed/web/vendor/.ready

# What the page's tests need besides.
sendensed/web/node_modules/.test: sendensed/web/vendor/.ready
	@.ci/build-web --test
	@touch $@

# DEMO_ARGS="--once --json" runs it unthrottled and prints one JSON object.
demo: .venv/runtime web
	@.ci/apt-install mkfs.ext4=e2fsprogs
	@$(BIN)/sendensed demo $(DEMO_ARGS)

test: .venv/test sendensed/web/node_modules/.test
	@.ci/apt-install mkfs.ext4=e2fsprogs curl=curl chromium=chromium pngquant=pngquant promtool=prometheus \
	    nbdkit=nbdkit qemu-nbd=qemu-utils pgrep=procps nbdcopy=libnbd-bin openssl=openssl systemd-analyze=systemd \
	    zsh=zsh fish=fish
	$(BIN)/python -m pytest -n auto --dist loadfile --max-worker-restart 0 $(TEST_ARGS)

# The wire and the decisions are covered to the last branch by their own tests.
CORES := tests/schemas tests/sendensed/core tests/clientd/core

check: .venv/test sendensed/web/node_modules/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q $(CORES) --cov=schemas --cov=sendensed.core --cov=clientd.core --cov-branch \
	    --cov-report=term:skip-covered --cov-fail-under=100
	$(MAKE) --no-print-directory test

GO_LIBRARIES := /usr/share/gocode/src/github.com

bench: .venv/test
	@.ci/apt-install go=golang-go $(GO_LIBRARIES)/lib/pq=golang-github-lib-pq-dev \
	    $(GO_LIBRARIES)/jackc/pgx/v4=golang-github-jackc-pgx-v4-dev
	$(BIN)/python -m tests.benchmarks $(BENCH_ARGS)

# New locks: names, versions and hashes only. Needs uv on the PATH.
lock:
	$(COMPILE) requirements/pip.in -o requirements/pip.txt
	$(COMPILE) pyproject.toml requirements/build.in -o requirements/runtime.txt
	$(COMPILE) --group pyproject.toml:test pyproject.toml -o requirements/test.txt
	$(COMPILE) --group pyproject.toml:node -o requirements/node.txt
	.ci/lock-web

.PHONY: help web demo test check bench lock
