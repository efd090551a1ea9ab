# Every way into this project; `make` alone lists them.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
.DEFAULT_GOAL := help
.PHONY: help install demo up down destroy test lint format unit infrastructure system test-long test-container test-page baseline bench gpu-check verify-aws lock sbom audit audit-templates reference docs screenshots clean

help: ## list what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

.venv/ready: requirements.txt pyproject.toml local_aws/pyproject.toml tools/cdk/package-lock.json
	@bash tools/install.sh $(PYTHON)

install: .venv/ready ## install everything this project needs into .venv and .local

demo: install ## the main job on this machine: deploy, tune, train, promote, classify (DATA=dir RECIPE=name)
	@classifier demo $(if $(DATA),--data "$(DATA)") $(if $(RECIPE),--recipe "$(RECIPE)")

up: install ## start the local AWS and deploy all stacks to it
	@classifier up

down: install ## stop the local AWS (its state is kept in .local)
	@classifier down

destroy: install ## remove every stack from the local AWS
	@classifier destroy

test: lint unit infrastructure system ## everything a change must pass

lint: install ## ruff, import-linter, mypy, the pages made from the code, and links
	ruff format --check . && ruff check . && lint-imports && python -m tools.reference --check && python -m tools.links && mypy app.py check.py classifier_client contract reports judging doctor batch stacks lambda/functions training_code inference_code local_aws/src cli benchmarks tools

format: install ## let ruff put the code in order
	ruff format . && ruff check --fix .

unit: install ## fast tests: no server, and no network but for the pins, which are looked up in the package index
	pytest -q -n 2 --dist worksteal tests/unit local_aws/tests/unit

infrastructure: install ## synthesised templates: claims, cdk-nag, cfn-lint, baselines
	pytest -q -n 2 tests/infrastructure

system: install ## the local AWS, the real CDK CLI, real training, real HTTP
	pytest -q -n 2 --dist loadfile -m "not long" tests/system local_aws/tests/system

test-long: install ## deployments that take minutes: changes of a live endpoint under load, verify-aws on the local AWS
	pytest -q -m long tests/system local_aws/tests/system

test-container: install ## build both images and run them for real, as root (GPU_IMAGE=1, ARM64_IMAGE=1: these too)
	pytest -q tests/container

test-page: install ## the page in headless Chromium (apt-get install chromium), screenshots in .local/page
	pytest -q tests/page

baseline: install ## rewrite the template baselines after a change you meant
	UPDATE_BASELINES=1 pytest -q tests/infrastructure -k baseline

bench: install ## measure ours against its peers: NAME=x runs benchmarks/x.py (ARGS="..." are its own)
	@test -f "benchmarks/$(NAME).py" || { echo "NAME= is one of: $$(cd benchmarks && ls *.py | grep -v -e __ -e harness -e _check_ | sed 's/\.py//' | tr '\n' ' ')"; exit 2; }
	@python -m benchmarks.$(NAME) $(ARGS)

gpu-check: install ## what only a GPU can show, in eight minutes (OUT=folder); scaled down where there is none
	@python -m benchmarks.gpu_check

verify-aws: install ## the same system tests in your AWS account: says the cost, asks, cleans up (ARGS=--dry-run)
	@python -m tests.system.verify_aws $(ARGS)

lock: install ## renew all that is pinned, packages to newer versions with UPGRADE=all or UPGRADE="names"
	@python -m tools.lock $(if $(UPGRADE),--upgrade $(UPGRADE))

sbom: install ## list what is installed as CycloneDX in .local/sbom (IMAGE=name: what is in that image)
	@python -m tools.bom $(if $(IMAGE),--image "$(IMAGE)")

audit: install ## ask for known faults in all that is pinned (IMAGE=name: in that image too)
	@python -m tools.audit $(if $(IMAGE),--image "$(IMAGE)") $(ARGS)

audit-templates: install ## checkov over the templates of every sample, by tools/checkov.yaml
	@python -m tools.templates

reference: install ## write docs/settings.md and docs/recipe-keys.md anew from the code
	@python -m tools.reference

docs: install ## the documentation as a site in .local/site, by MkDocs Material
	@python -m tools.site

screenshots: install ## docs/pictures from the demo that runs, by headless Chromium
	@python -m tools.screenshots

clean: ## remove the local AWS's state and all that was installed
	@if [ -x $(BIN)/classifier ]; then $(BIN)/classifier down --wipe || exit 1; fi; rm -rf .local .venv cdk.out
