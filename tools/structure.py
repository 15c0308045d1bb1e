"""Measure the structure of the package: sizes, functions, comments, and one `fit`.

Run as ``python tools/structure.py``. The counts of a `fit` are the files and functions
of the package that it enters, seen by a profile hook in the thread that calls it.
"""

import ast
import io
import statistics
import sys
import tokenize
from pathlib import Path

import numpy as np

import skimbalance

ROOT = Path(skimbalance.__file__).parent


def code_lines(node, lines):
    """Count the lines of a body that are neither blank, comment nor docstring."""
    body = node.body
    if (
        body
        and isinstance(body[0], ast.Expr)
        and isinstance(body[0].value, ast.Constant)
    ):
        body = body[1:]
    if not body:
        return 0
    part = lines[body[0].lineno - 1 : node.end_lineno]
    return sum(1 for line in part if line.strip() and not line.strip().startswith("#"))


def docstring_lines(tree):
    """Count the lines of all docstrings of a module."""
    total = 0
    for node in ast.walk(tree):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if documented and ast.get_docstring(node, clean=False):
            total += node.body[0].end_lineno - node.body[0].lineno + 1
    return total


def comment_lines(text):
    """Count the comments of a module."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return sum(token.type == tokenize.COMMENT for token in tokens)


def measure_source():
    """Print the sizes of the package."""
    files = sorted(ROOT.rglob("*.py"))
    n_lines = n_code = n_comments = 0
    lengths = []
    for path in files:
        text = path.read_text()
        lines, tree = text.splitlines(), ast.parse(text)
        comments = comment_lines(text)
        whole = sum(1 for line in lines if line.strip().startswith("#"))
        blank = sum(1 for line in lines if not line.strip())
        n_lines += len(lines)
        n_comments += comments
        n_code += len(lines) - blank - whole - docstring_lines(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                place = f"{path.relative_to(ROOT)}:{node.name}"
                lengths.append((code_lines(node, lines), place))
    sizes = sorted(size for size, _ in lengths)
    own = sorted((pair for pair in lengths if ":__init__" not in pair[1]), reverse=True)
    print(f"files {len(files)}, lines {n_lines}, code lines {n_code}")
    print(f"comments for 100 code lines {100 * n_comments / n_code:.1f}")
    print(
        f"functions {len(sizes)}: median {statistics.median(sizes):.0f} code lines, "
        f"90th percentile {sizes[int(0.9 * len(sizes))]}, "
        f"longest but for constructors {own[0][0]} ({own[0][1]})"
    )


def entered(function):
    """Return the files and the functions of the package that a call enters."""
    seen = set()

    def hook(frame, event, _):
        if event == "call" and frame.f_code.co_filename.startswith(str(ROOT)):
            seen.add((frame.f_code.co_filename, frame.f_code.co_qualname))

    sys.setprofile(hook)
    try:
        function()
    finally:
        sys.setprofile(None)
    return {file for file, _ in seen}, seen


def measure_fit():
    """Print how much of the package one `fit` goes through."""
    from skimbalance.datasets import make_imbalanced_multilabel
    from skimbalance.neural_network import ImbalancedMLPClassifier

    X, Y = make_imbalanced_multilabel(600, n_labels=8, random_state=0)
    weighted = {"loss": "focal", "pos_weight": "sqrt"}
    for name, y, params in (
        ("multilabel, focal, sqrt", Y, weighted),
        ("binary, default", Y[:, 0].astype(np.int64), {}),
    ):
        net = ImbalancedMLPClassifier(max_epochs=2, random_state=0, **params)
        files, functions = entered(lambda net=net, y=y: net.fit(X, y))
        print(f"fit ({name}): {len(files)} files, {len(functions)} functions")
        for file in sorted(files):
            print(f"    {Path(file).relative_to(ROOT)}")


if __name__ == "__main__":
    measure_source()
    measure_fit()
