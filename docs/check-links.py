#!/usr/bin/env python3
"""Checks the links of the built book and of the Markdown files of the repository.

Takes the folder of the built book. Looks at links inside the repository only: does the file exist, and does it
have the heading or anchor? Prints one line for each broken link, and ends with 1 if there is one.
"""

import html.parser
import pathlib
import re
import sys
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Page(html.parser.HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors.update(attributes[key] for key in ("id", "name") if attributes.get(key))
        self.links += [attributes[key] for key in ("href", "src") if attributes.get(key)]


def read_html(path):
    page = Page(path.read_text())
    return page.links, page.anchors


def read_markdown(path):
    text = re.sub(r"^(```|~~~).*?^\1", "", path.read_text(), flags=re.M | re.S)
    links = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text))
    links += re.findall(r"^\[[^\]]+\]:\s+(\S+)", text, flags=re.M)
    anchors = set()
    for heading in re.findall(r"^#+ +(.*)", text, flags=re.M):
        anchor = base = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        count = 0
        while anchor in anchors:
            count += 1
            anchor = f"{base}-{count}"
        anchors.add(anchor)
    return links, anchors


def broken(path, read):
    for link in read(path)[0]:
        parts = urllib.parse.urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = path.parent / urllib.parse.unquote(parts.path) if parts.path else path
        if not target.exists():
            yield f"{link}: no such file"
        elif parts.fragment and target.is_file() and target.suffix == path.suffix:
            if urllib.parse.unquote(parts.fragment) not in read(target)[1]:
                yield f"{link}: no such heading"


def main():
    book = pathlib.Path(sys.argv[1])
    pages = [path for path in sorted(book.rglob("*.html")) if path.name not in ("404.html", "toc.html", "print.html")]
    texts = [path for path in sorted(ROOT.rglob("*.md")) if "target" not in path.relative_to(ROOT).parts]
    found = 0
    for paths, read in ((pages, read_html), (texts, read_markdown)):
        for path in paths:
            for fault in broken(path, read):
                print(f"{path}: {fault}", file=sys.stderr)
                found += 1
    print(f"links: {len(pages)} pages of the book and {len(texts)} Markdown files, {found} broken")
    sys.exit(1 if found or not pages else 0)


if __name__ == "__main__":
    main()
