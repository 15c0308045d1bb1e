"""Sphinx configuration."""

import skimbalance

project = "skimbalance"
author = "The skimbalance developers"
version = release = skimbalance.__version__
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
]
autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = True
templates_path = ["_templates"]
# Inherited docstrings refer to labels of scikit-learn's own documentation.
suppress_warnings = ["ref.ref"]
numpydoc_show_class_members = False
default_role = "literal"
html_theme = "alabaster"
html_theme_options = {"description": "Imbalanced classification with deep nets"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
