"""Sphinx configuration."""

import importlib
import inspect
import sys
from pathlib import Path

import skimbalance

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))

project = "skimbalance"
author = "The skimbalance developers"
copyright = author  # noqa: A001
version = release = skimbalance.__version__
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "sphinx.ext.mathjax",
    # Sets `mathjax_path` to a copy of MathJax in the site: no other server is asked.
    "sphinx-mathjax-offline",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "api_links",
    "llms_txt",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_inventories", "_ext", "api/backreferences"]
# Inherited docstrings refer to labels of scikit-learn's own documentation. The gallery
# puts objects into the configuration that cannot be pickled for an incremental build.
suppress_warnings = ["ref.ref", "config.cache"]
default_role = "literal"

# --- API pages ------------------------------------------------------------------------
autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = True


def own_methods(module, name):
    """Return the public methods of a class that this package defines, by name.

    The template of a class lists them in groups. Those of torch and scikit-learn are
    documented there.
    """
    cls = getattr(importlib.import_module(module), name)
    bases = [b for b in cls.__mro__ if b.__module__.startswith("skimbalance")]
    found = {key for base in bases for key in vars(base) if not key.startswith("_")}
    functions = (key for key in found if inspect.isroutine(getattr(cls, key)))
    return sorted(functions)


autosummary_context = {"own_methods": own_methods}
autodoc_member_order = "groupwise"
autodoc_typehints = "none"  # the numpydoc sections give the types
# `_templates/autosummary/class.rst` lists the methods, each with a section of its own.
numpydoc_show_class_members = False
toc_object_entries_show_parents = "hide"
python_display_short_literal_types = True
python_use_unqualified_type_names = True

# --- Other projects -------------------------------------------------------------------
# The inventory of each project is asked for first. The file behind it has the names
# that these pages use, so that a build without a network has the same links.
intersphinx_mapping = {
    name: (url, (None, f"_inventories/{name}.txt"))
    for name, url in {
        "numpy": "https://numpy.org/doc/stable/",
        "skorch": "https://skorch.readthedocs.io/en/stable/",
        "sklearn": "https://scikit-learn.org/stable/",
        "torch": "https://docs.pytorch.org/docs/stable/",
    }.items()
}
intersphinx_timeout = 5

# --- Markdown -------------------------------------------------------------------------
myst_enable_extensions = ["colon_fence", "dollarmath", "deflist", "attrs_inline"]
myst_heading_anchors = 3
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True

# --- Gallery --------------------------------------------------------------------------
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "within_subsection_order": "conf_order.GalleryOrder",
    "doc_module": ("skimbalance",),
    "reference_url": {"skimbalance": None},
    "backreferences_dir": "api/backreferences",
    "remove_config_comments": True,
    "show_memory": False,
    # No page links to the times, which are those of one loaded machine.
    "write_computation_times": False,
    "show_signature": False,
    "plot_gallery": True,
    "abort_on_example_error": True,
    "reset_modules": ("matplotlib",),
    "image_srcset": ["2x"],
    "download_all_examples": False,
}

# --- Pages ----------------------------------------------------------------------------
html_theme = "pydata_sphinx_theme"
html_title = "skimbalance"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "skimbalance"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "header_links_before_dropdown": 6,
    "navigation_depth": 3,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "search_bar_text": "Search: pos_weight, calibration, ...",
}
html_sidebars = {
    "index": [],
    "installation": [],
    "decision": [],
    "coming_from": [],
    "changelog": [],
    "contributing": [],
}


def skip_member(app, what, name, obj, skip, options):  # noqa: ARG001
    """Leave out the methods of metadata routing, which scikit-learn documents."""
    routing = name.startswith("set_") and name.endswith("_request")
    return True if routing or name == "get_metadata_routing" else None


def setup(app):
    """Register what is defined here."""
    app.connect("autodoc-skip-member", skip_member)
