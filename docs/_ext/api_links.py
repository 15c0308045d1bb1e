"""Link the names of public objects in running text to their pages of the API.

The guide, the gallery and the docstrings write `FBeta(beta=2)` or `net_.predict_proba`
in code style, without roles. Each piece of code that begins with the name of a public
object of this package, or of another one that intersphinx knows, becomes a link.
"""

import importlib
import re
from pathlib import Path

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

import skimbalance

# A name, perhaps dotted, alone or as the beginning of a call.
_NAME = re.compile(r"([A-Za-z_][\w.]*\w)(\(.*\))?", re.S)


def _short_names(app):
    """Return the full name of each public object by the name that it is imported as."""
    names = {}
    for inventory in Path(app.srcdir, "_inventories").glob("*.txt"):
        for line in inventory.read_text().splitlines()[3:]:
            full = line.split()[0]
            names[full.rpartition(".")[2]] = full
    for part in skimbalance.__all__:
        module = importlib.import_module(f"skimbalance.{part}")
        names |= {name: f"{module.__name__}.{name}" for name in module.__all__}
    return names


class LinkNames(SphinxPostTransform):
    """Put a link around literal text that names a public object."""

    default_priority = 5

    def run(self, **kwargs):  # noqa: ARG002
        """Replace the literals of one page."""
        names = _short_names(self.app)
        for literal in list(self.document.findall(nodes.literal)):
            match = _NAME.fullmatch(literal.astext())
            if not match or _is_inside_link_or_title(literal):
                continue
            link = self._link(names, match[1])
            if link is not None:
                literal.replace_self(link)
                link += literal

    def _link(self, names, name):
        """Return an empty link to a name, or None for an unknown one."""
        head, _, rest = name.partition(".")
        full = names[head] + (f".{rest}" if rest else "") if head in names else name
        domain = self.env.get_domain("py")
        # A method that is documented with its base class, or an attribute: the class.
        entry = domain.objects.get(full) or domain.objects.get(full.rpartition(".")[0])
        if entry is not None:
            if entry.docname == self.env.docname and "." not in name:
                return None  # a page about the object itself
            return make_refnode(
                self.app.builder,
                self.env.docname,
                entry.docname,
                entry.node_id,
                [],
                full,
            )
        return self._foreign_link(full)

    def _foreign_link(self, name):
        """Return a link into another project, for names written with their package."""
        inventory = getattr(self.env, "intersphinx_inventory", {})
        for kind in ("py:class", "py:function", "py:method", "py:module"):
            item = inventory.get(kind, {}).get(name)
            if item is not None:
                return nodes.reference("", "", internal=False, refuri=item.uri)
        return None


def _is_inside_link_or_title(node):
    """Return whether a node is in a link already, or in the title of a section."""
    while node is not None:
        if isinstance(node, nodes.reference | nodes.title):
            return True
        node = node.parent
    return False


def setup(app):
    """Register the transform."""
    app.add_post_transform(LinkNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
