# Every target sets up what it needs: a .venv in the checkout, from constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
DATA ?=

.PHONY: demo test test-all test-lowest lint types docs bench bench-quick bench-gpu clean

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[test,plot,serving]"
	touch $@

demo: .venv/ready
	$(BIN)/python examples/plot_quickstart.py $(DATA)

# One worker for each core, each with one thread: more threads compete for the cores.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

test: .venv/ready
	$(PYTEST)

# With the tests marked slow, those of other tools, ten times as many examples of each
# property, and the coverage, whose measurement lengthens the tests by half.
test-all: .venv/ready
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[tools]"
	SKIMBALANCE_TESTS=slow $(PYTEST) -m "" --cov --cov-report=term-missing:skip-covered

.venv/lint: .venv/ready
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[lint]"
	touch $@

lint: .venv/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/numpydoc lint $$(find skimbalance -name "*.py")
	$(BIN)/codespell

types: .venv/ready
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[types]"
	$(BIN)/pyright

docs: .venv/ready
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[docs]"
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -W -b html docs docs/_build/html
	$(BIN)/python tools/check_links.py docs/_build/html

bench: .venv/ready
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[bench,serving]"
	for script in docs/benchmarks/[a-z]*.py; do $(BIN)/python $$script || exit 1; done

# The ratios that the pages quote, at smaller sizes, against bounds; under five minutes.
bench-quick: .venv/ready
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[bench]"
	$(BIN)/python docs/benchmarks/quick.py

# Writes docs/benchmarks/gpu.md in less than six minutes, where there is a CUDA device.
# Without make: `python docs/benchmarks/gpu.py`.
bench-gpu: .venv/ready
	$(BIN)/python docs/benchmarks/gpu.py

# The lower bounds of pyproject.toml as exact versions, in an environment of their own.
test-lowest: .venv-lowest/ready
	.venv-lowest/bin/python -m pytest -p no:cacheprovider

.venv-lowest/ready: pyproject.toml
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --upgrade pip
	.venv-lowest/bin/python -c "import tomllib; print('\n'.join(line.replace('>=', '==') for line in tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies']))" > .venv-lowest/lowest.txt
	.venv-lowest/bin/python -m pip install --quiet -c .venv-lowest/lowest.txt -e ".[test,plot,serving]"
	touch $@

clean:
	rm -rf .venv .venv-lowest docs/_build docs/auto_examples docs/api/generated docs/api/backreferences demo_output
