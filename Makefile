# make run | test | check | bench | space: each does its own set-up in .venv, once.

# Torch's CPU wheels are tried first on Linux: a tenth of the size. Where this does not answer, pip's own index is used.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
# The first Python that is new enough.
PYTHON ?= $(shell for each in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$each -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null && echo $$each && break; done)
PIP := .venv/bin/python -m pip --disable-pip-version-check
DEBIAN := [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null
APT := apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -yq

ifeq ($(MAKECMDGOALS)$(SPACE),space)
$(error Say where: make space SPACE=owner/name)
endif

.PHONY: run test check bench space clean
.DELETE_ON_ERROR:

run: .venv/ready
	.venv/bin/python app.py

test: .venv/ready-dev .venv/ready-browser
	.venv/bin/python -m pytest $(ARGS)

check: .venv/ready-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	rm -f page/*.pyi  # gradio writes them beside its components, and mypy would believe old ones
	.venv/bin/mypy

bench: .venv/ready-dev .venv/ready-browser .venv/others
	.venv/bin/python -m tests.benchmarks $(ARGS)

# A clean tree without history: the Hub refuses a plain push of binaries.
space: .venv/ready
	tree=$$(mktemp -d) && trap 'rm -rf "$$tree"' EXIT && git archive HEAD | tar -x -C "$$tree" && \
	.venv/bin/hf repos create "$(SPACE)" --type space --space-sdk gradio --exist-ok && \
	.venv/bin/hf upload "$(SPACE)" "$$tree" . --type space --delete "*" --commit-message "Attention Lab $$(git rev-parse --short HEAD)"

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Attention Lab needs Python 3.11 or newer: install it, or say where it is with PYTHON=…"; exit 1; }
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
		{ echo "Attention Lab needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -V)."; exit 1; }
	@$(PYTHON) -c "import ensurepip, venv" 2>/dev/null || { $(DEBIAN) && $(APT) python3-venv; } || \
		{ echo "This Python has no venv: install the package python3-venv."; exit 1; }
	$(PYTHON) -m venv .venv

.venv/ready: requirements.txt | .venv/bin/python
	@if [ "$$(uname)" = Linux ] && timeout 5 .venv/bin/python -c "import urllib.request; urllib.request.urlopen('$(TORCH_INDEX)/torch/', timeout=3)" 2>/dev/null; \
		then $(PIP) install -q --no-deps --index-url $(TORCH_INDEX) $$(grep '^torch==' requirements.txt) || true; fi
	$(PIP) install -q -r requirements.txt
	@touch $@

.venv/ready-dev: requirements-dev.txt .venv/ready
	$(PIP) install -q -r requirements-dev.txt
	@touch $@

# A Chromium from PATH, else Debian's, else Playwright's own. Where none can be had the browser tests fail and say so.
.venv/ready-browser: .venv/ready-dev
	@if [ "$$(uname)" = Linux ] && { [ -z "$$(fc-list :lang=zh 2>/dev/null)" ] || [ -z "$$(fc-list :lang=und-zsye 2>/dev/null)" ]; }; then \
		{ $(DEBIAN) && $(APT) fontconfig fonts-noto-cjk fonts-noto-color-emoji; } || \
		echo "Chinese or colour emoji may be missing on screenshots: install fonts-noto-cjk and fonts-noto-color-emoji."; fi
	@if command -v chromium || command -v chromium-browser || command -v google-chrome || { $(DEBIAN) && $(APT) chromium; } || \
		.venv/bin/python -m playwright install chromium; then touch $@; \
		else echo "No browser could be installed: put a Chromium on the PATH."; fi

# What the benchmarks compare with; the dependencies of the first two are not needed for their views alone.
.venv/others: | .venv/bin/python
	$(PIP) install -q --no-deps --target $@ bertviz==1.4.1 circuitsvis==1.43.3

# Only on request, for it brings 400 MB: `make .venv/lens bench`. Torch, transformers and numpy are those of .venv.
.venv/lens: .venv/ready
	$(PIP) install -q --no-deps --target $@ transformer-lens==3.9.0 accelerate beartype better-abc datasets dill einops fancy-einsum jaxtyping \
		multiprocess pandas pyarrow python-dateutil pytz sentencepiece six transformers-stream-generator "typeguard<5" wadler-lindig xxhash
