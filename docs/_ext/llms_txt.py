"""Write llms.txt: the pages of the site with a line each, for language models.

The format is that of https://llmstxt.org: a title, a summary, and sections of links.
"""

from pathlib import Path

from docutils import nodes

SECTIONS = {
    "Start": ("index", "installation", "decision", "coming_from"),
    "Guide": ("user_guide/",),
    "Examples": ("auto_examples/plot_",),
    "API": ("api/generated/",),
    "Benchmarks": ("benchmarks/",),
}
SUMMARY = (
    "Deep nets for imbalanced classification, multilabel first, behind scikit-learn's "
    "interface: losses and weights for training, their inverse for calibrated "
    "probabilities, thresholds for predictions."
)


def _first_sentence(doctree):
    """Return the beginning of the first paragraph of running text of a page."""
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        inside = isinstance(paragraph.parent, nodes.section | nodes.document)
        described = paragraph.parent.tagname == "desc_content"
        if text and (inside or described):
            head, dot, _ = text.partition(". ")
            return head.rstrip(".:") + "." if dot or len(head) < 300 else head
    return ""


def write(app, error):
    """Write the file into the folder of the site."""
    if error is not None or app.builder.format != "html":
        return
    lines = [f"# {app.config.project}", "", f"> {SUMMARY}"]
    for title, prefixes in SECTIONS.items():
        lines += ["", f"## {title}", ""]
        pages = (
            page
            for prefix in prefixes
            for page in sorted(app.env.found_docs)
            if page.startswith(prefix)
        )
        for page in pages:
            name = app.env.titles[page].astext()
            about = _first_sentence(app.env.get_doctree(page))
            link = app.builder.get_target_uri(page)
            lines.append(f"- [{name}]({link}): {about}")
    Path(app.outdir, "llms.txt").write_text("\n".join(lines) + "\n")


def setup(app):
    """Register the writer."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
