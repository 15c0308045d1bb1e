# Every target sets up what it needs: a .venv in the checkout, from constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
DATA ?=

.PHONY: demo test test-all test-lowest lint docs bench clean

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[test,plot]"
	touch $@

demo: .venv/ready
	$(BIN)/python examples/plot_quickstart.py $(DATA)

# One worker a core, each with one thread: more threads only fight for the cores.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term-missing:skip-covered

test: .venv/ready
	$(PYTEST)

# With the tests marked slow, and ten times as many examples of each property.
test-all: .venv/ready
	SKIMBALANCE_TESTS=slow $(PYTEST) -m ""

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

docs: .venv/ready
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[docs]"
	$(BIN)/python -m sphinx -W -b html docs docs/_build/html

bench: .venv/ready
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[bench]"
	for script in docs/benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

# The lower bounds of pyproject.toml, taken literally, in an environment of their own.
test-lowest: .venv-lowest/ready
	.venv-lowest/bin/python -m pytest -p no:cacheprovider

.venv-lowest/ready: pyproject.toml
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --upgrade pip
	.venv-lowest/bin/python -c "import tomllib; print('\n'.join(line.replace('>=', '==') for line in tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies']))" > .venv-lowest/lowest.txt
	.venv-lowest/bin/python -m pip install --quiet -c .venv-lowest/lowest.txt -e ".[test,plot]"
	touch $@

clean:
	rm -rf .venv .venv-lowest docs/_build demo_output
