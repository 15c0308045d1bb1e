"""Check that each internal link of a built site has its file, and each anchor its id.

Also that its search finds the words with which people come. Run
``python tools/check_links.py docs/_build/html``. Links to other servers are counted and
not opened, so that the result does not depend on a network.
"""

import json
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from snowballstemmer import stemmer

# What people search for, and a page that must be among those found.
SEARCHES = {
    "pos_weight": "user_guide/weights",
    "class imbalance": "user_guide/index",
    "calibration": "user_guide/calibration",
    "ONNX": "user_guide/serving",
}


class Page(HTMLParser):
    """The links of a page, and the ids to which links may point."""

    def __init__(self):
        super().__init__()
        self.links, self.ids = set(), set()

    def handle_starttag(self, tag, attrs):
        """Collect the links and ids of one tag."""
        for name, value in attrs:
            if name == "id" or (tag == "a" and name == "name"):
                self.ids.add(value)
            elif name in ("href", "src") and value:
                self.links.add(value)


def read(path):
    """Return the parsed page."""
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def broken_links(root):
    """Return the numbers of internal and external links, and what is broken."""
    # The theme ships a template among its static files.
    files = (path for path in root.rglob("*.html") if "_static" not in path.parts)
    pages = {path.resolve(): read(path) for path in files}
    n_internal, n_external, broken = 0, 0, []
    for path, page in sorted(pages.items()):
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                n_external += parts.scheme in ("http", "https")
                continue
            n_internal += 1
            target = path
            if parts.path:
                target = (path.parent / unquote(parts.path)).resolve()
            if target.is_dir():
                target /= "index.html"
            anchor = unquote(parts.fragment)
            if not target.exists():
                broken.append(f"{path.relative_to(root)}: {link} has no file")
            elif anchor and target in pages and anchor not in pages[target].ids:
                broken.append(f"{path.relative_to(root)}: {link} has no anchor")
    return n_internal, n_external, broken


def failed_searches(root):
    """Return the searches of which the index of Sphinx does not know the page."""
    index = (root / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(index[index.index("(") + 1 : index.rindex(")")])
    stem = stemmer("english").stemWord

    def pages(word):
        """Return the pages that hold a word; the index has one number as it is."""
        found = [
            index[kind].get(stem(word.lower()), []) for kind in ("terms", "titleterms")
        ]
        return {
            page
            for value in found
            for page in ([value] if isinstance(value, int) else value)
        }

    for words, page in SEARCHES.items():
        hits = set.intersection(*map(pages, words.split()))
        if page not in {index["docnames"][hit] for hit in hits}:
            yield f"search for {words!r} does not find {page}"


def main(root):
    """Print the broken links and failed searches, and return their number."""
    root = Path(root).resolve()
    n_internal, n_external, broken = broken_links(root)
    lost = list(failed_searches(root))
    print("\n".join(broken + lost))
    print(f"{n_internal} internal links, {len(broken)} broken; {n_external} external")
    return len(broken) + len(lost)


if __name__ == "__main__":
    sys.exit(min(main(*sys.argv[1:]), 1))
