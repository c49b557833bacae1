# Every target makes its own .venv; nothing but Python 3.11+ and make is needed before.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# Two files at a time, each process with one thread. In their own order: the long ones come early.
TWO_AT_A_TIME := OMP_NUM_THREADS=1 $(BIN)/python -m pytest \
	--numprocesses 2 --dist loadfile --no-loadscope-reorder

.PHONY: app demo test test-fast check format clean

app: $(VENV)/.app  ## open the page
	$(BIN)/python app.py

demo: $(VENV)/.app  ## the whole job in the terminal, on the bundled recordings
	$(BIN)/python -m whisper_tuner demo

test: $(VENV)/.dev  ## all tests, the slow ones and the browser's included
	$(TWO_AT_A_TIME) -m "not browser"
	$(BIN)/python -m pytest -m browser

test-fast: $(VENV)/.dev  ## the tests without real weights and without a browser
	$(TWO_AT_A_TIME) -m "not slow and not browser"

check: $(VENV)/.dev  ## what a reader would otherwise have to check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV)

$(VENV)/.app: requirements.txt requirements-offline.txt constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -r requirements.txt -r requirements-offline.txt
	touch $@

$(VENV)/.dev: $(VENV)/.app requirements-dev.txt
	$(PIP) -r requirements-dev.txt
	touch $@
