# Everything a person runs. `make up` and `make test` set up whatever they need first.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
export PYTHONPATH := $(CURDIR):$(CURDIR)/platform

.PHONY: help
help: ## List these commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: lock
lock: ## Resolve the dependencies again into the two lock files
	uv pip compile -q pyproject.toml --extra embedded --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url --no-emit-find-links -o requirements.lock
	uv pip compile -q pyproject.toml --extra embedded --group dev -c requirements.lock --python-version 3.11 \
		--generate-hashes --no-header --no-emit-index-url --no-emit-find-links -o requirements-dev.lock
