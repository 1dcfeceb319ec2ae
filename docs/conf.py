"""Settings of the site: sphinx-build --fail-on-warning -c docs . build/site

The sources are the repository itself, so that pages link to code, recipes and measurements as they do on GitHub, and
the files they link to are in the site. The order of the pages is that of the lists in `index.md`.
"""

import os
import re

from sphinx.application import Sphinx

LINK = re.compile(r"^\* \[(.*?)\]\(([^)#]+)\.md\)", re.MULTILINE)

project = author = "stillhouse"
extensions = ["myst_parser"]
include_patterns = ["*.md", "docs/*.md", "benchmarks/README.md", "recipes/README.md"]
root_doc = "docs/index"
myst_heading_anchors = 3

html_theme = "furo"
html_title = "stillhouse"
html_copy_source = html_show_sourcelink = html_show_sphinx = html_show_copyright = html_use_index = False
html_show_search_summary = False  # a browser must not read pages for it that were opened as files
html_extra_path = ["site"]  # index.html, which leads to docs/index.html
html_static_path = ["style.css"]
html_css_files = ["style.css"]


def with_tree(app: Sphinx, name: str, source: list[str]) -> None:
    """Give the first page the trees of pages that its lists are; on GitHub they are lists and nothing else."""
    if name == root_doc:
        for title, _, part in (one.partition("\n") for one in source[0].split("\n## ")[1:]):
            pages = [f"{words} </{os.path.normpath(f'docs/{page}')}>\n" for words, page in LINK.findall(part)]
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{''.join(pages)}```\n"


def setup(app: Sphinx) -> None:
    app.connect("source-read", with_tree)
