"""The public names, and the sections of their docstrings."""

import email.message
import importlib.metadata
import inspect
import re

import pytest
from sklearn.base import BaseEstimator

import skimbalance
from skimbalance._base import documentation_url
from skimbalance.losses import LOSSES

MODULES = [f"skimbalance.{name}" for name in skimbalance.__all__]


def _public(module_name):
    module = importlib.import_module(module_name)
    return {name: getattr(module, name) for name in module.__all__}


OBJECTS = sorted(
    {
        (module_name, name)
        for module_name in MODULES
        for name, thing in _public(module_name).items()
        if inspect.isclass(thing) or inspect.isfunction(thing)
    }
)
each_object = pytest.mark.parametrize(("module_name", "name"), OBJECTS, ids=str)


def _methods(cls):
    """Return the public methods of a class that are written in this package."""
    for name, member in inspect.getmembers(cls, inspect.isfunction):
        ours = (member.__module__ or "").startswith("skimbalance")
        if ours and not name.startswith("_"):
            yield name, member


@pytest.mark.parametrize("module_name", MODULES)
def test_all_lists_the_public_names_sorted(module_name):
    module = importlib.import_module(module_name)
    defined = {
        name
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and not inspect.ismodule(thing)
        and getattr(thing, "__module__", "").startswith("skimbalance")
        and f"{getattr(thing, '__module__', '')}.".startswith(f"{module_name}.")
        and not isinstance(thing, dict | str | int | float)
    }
    assert list(module.__all__) == sorted(module.__all__)
    elsewhere = {"UndefinedLabelWarning"}
    registries = {
        name for name in module.__all__ if isinstance(vars(module)[name], dict)
    }
    assert set(module.__all__) - (elsewhere - defined) - registries == defined
    assert module.__doc__


def test_top_level_lists_the_modules_sorted():
    assert skimbalance.__all__ == sorted(skimbalance.__all__)
    for name in skimbalance.__all__:
        assert f"`{name}`" in skimbalance.__doc__


def _section(doc, title):
    parts = re.split(r"^(\S[^\n]*)\n-{3,}\n", doc, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True)).get(title, "")


def _documented(doc):
    names = re.findall(
        r"^(\*{0,2}\w+(?:, \w+)*)(?: :|$)", _section(doc, "Parameters"), re.M
    )
    return {part.lstrip("*") for name in names for part in name.split(", ")}


def _parameters(function):
    names = inspect.signature(function).parameters
    return {name for name in names if name not in ("self", "cls")}


def _raises(function):
    return re.search(r"^\s+raise \w", inspect.getsource(function), re.M)


@each_object
def test_docstrings_have_parameters_and_an_example(module_name, name):
    thing = _public(module_name)[name]
    doc = inspect.getdoc(thing)
    assert doc
    if inspect.isclass(thing) and issubclass(thing, Warning):
        return
    assert ">>>" in _section(doc, "Examples"), "no runnable example"
    init = thing.__init__ if inspect.isclass(thing) else thing
    if "__init__" in vars(thing) or inspect.isfunction(thing):
        assert _parameters(init) <= _documented(doc)
    assert _documented(doc) <= _parameters(init)


@each_object
def test_functions_and_methods_document_parameters_and_errors(module_name, name):
    thing = _public(module_name)[name]
    functions = [(name, thing)] if inspect.isfunction(thing) else _methods(thing)
    for label, function in functions:
        owner = thing if inspect.isclass(thing) else None
        doc = inspect.getdoc(getattr(owner, label) if owner else function)
        assert doc, label
        assert _parameters(function) <= _documented(doc), label
        if _raises(function):
            assert _section(doc, "Raises"), f"{label} raises without a section Raises"


@each_object
def test_array_parameters_have_shapes(module_name, name):
    doc = inspect.getdoc(_public(module_name)[name])
    for entry in re.findall(r"^\w[\w, ]* : (.*)$", _section(doc, "Parameters"), re.M):
        if "array-like" in entry or "ndarray" in entry:
            assert "shape" in entry or entry.rstrip().endswith("\\"), entry


@pytest.mark.parametrize("loss", sorted(set(LOSSES.values()), key=lambda c: c.__name__))
def test_every_loss_documents_its_inverse_and_its_use(loss):
    doc = inspect.getdoc(loss)
    assert "\nWhen to use it: " in doc
    assert "\nInverse: " in doc
    none = "\nInverse: none" in doc or "on paper" in doc
    assert none == (not loss.invertible)


# ------------------------------------------------- links from the HTML representation

SITE = "https://skimbalance.example/docs"


@pytest.fixture
def project_urls(monkeypatch):
    """Return a function that sets the entries of ``[project.urls]``."""

    def state(*entries):
        package = email.message.Message()
        for entry in entries:
            package["Project-URL"] = entry
        monkeypatch.setattr(importlib.metadata, "metadata", lambda name: package)

    return state


def _estimators():
    """Yield the public estimator classes that have objects."""
    for module_name, name in OBJECTS:
        thing = getattr(importlib.import_module(module_name), name)
        is_estimator = inspect.isclass(thing) and issubclass(thing, BaseEstimator)
        if is_estimator and not inspect.isabstract(thing):
            yield pytest.param(module_name, thing, id=name)


@pytest.mark.parametrize(("module_name", "estimator"), list(_estimators()))
def test_each_estimator_links_to_its_page(project_urls, module_name, estimator):
    shell = estimator.__new__(estimator)  # some need parameters
    project_urls("Source, https://code.example", f"Documentation, {SITE}/")
    page = f"{module_name}.{estimator.__name__}.html"
    assert shell._get_doc_link() == f"{SITE}/api/generated/{page}"


def test_the_representation_has_a_link_only_with_an_address(project_urls):
    from skimbalance.neural_network import ImbalancedMLPClassifier

    project_urls(f"Documentation, {SITE}")
    assert f'href="{SITE}/api/generated/' in ImbalancedMLPClassifier()._repr_html_()
    project_urls("Source, https://code.example")
    assert "href=" not in ImbalancedMLPClassifier()._repr_html_()

    class Own(ImbalancedMLPClassifier):
        """A class of another package has no page here."""

    Own.__module__ = "theirs"
    project_urls(f"Documentation, {SITE}")
    assert SITE not in Own()._repr_html_()


def test_a_checkout_that_is_not_installed_has_no_link(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "metadata", missing)
    assert documentation_url() == ""
