# make run | test | lint | bench, each of which sets up what it needs; `make help` lists all.
.DEFAULT_GOAL := help
BIN := .venv/bin
DATA ?= ../shared/data
PURE := device/signals.py,device/fusion.py,device/policy.py,device/brain.py,device/strategies.py,device/context.py,device/mutes.py,device/reactions.py,device/topics.py,device/commands.py,device/music/choose.py,device/music/genres.py

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 18

setup: ## .venv, Debian packages, the demo library
	@provisioning/setup.sh run

run: setup ## Attune on this machine: camera and microphone where there are any, else bundled recordings
	@$(BIN)/attune run --demo=auto $(ARGS)

test: ## lint, types and all tests that this machine can run
	@provisioning/setup.sh test
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m pytest --cov $(ARGS)
	@echo "the pure core:"
	@$(BIN)/python -m coverage report --include='$(PURE)' --skip-covered --fail-under=95

lint: ## ruff and mypy
	@provisioning/setup.sh test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@if $(BIN)/python -c 'import numpy, sys; sys.exit(numpy.__version__ < "2")'; then $(BIN)/mypy; \
	else echo "types: SKIPPED: checked against numpy 2 only, and this system has numpy 1"; fi

translations: ## collect the texts of the page and compile their translations
	@provisioning/setup.sh test
	@$(BIN)/python provisioning/translations.py

bench: ## JSON of what each step costs on this machine
	@provisioning/setup.sh test
	@$(BIN)/python -m tests.bench $(ARGS)

test-hardware: ## sensors and player on real devices, or on recordings where there are none
	@provisioning/setup.sh test
	@$(BIN)/python -m pytest tests/hardware -m hardware -rA $(ARGS)

test-arm64: ## the models on an emulated arm64 Debian 12 against this machine; as root, 5 minutes the first time
	@provisioning/setup.sh test
	@provisioning/arm64.sh

train-face train-voice train-text train-sequence train-sound train-lyrics: train-%: ## train one model (DATA=folder of the corpora)
	@provisioning/setup.sh train
	@$(BIN)/python -m models.training.$* --data $(DATA) $(ARGS)

evaluate: ## measure the shipped models: metrics.json, docs/models.md and its plots (DATA=folder of the corpora)
	@provisioning/setup.sh train
	@$(BIN)/python -m models.training.evaluate --data $(DATA) $(ARGS)

.PHONY: help setup run test lint translations bench test-hardware test-arm64 train-face train-voice train-text train-sequence train-sound train-lyrics evaluate
