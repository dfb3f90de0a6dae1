"""Saved web pages: the main text under its headings, with title, author and date. Door to BeautifulSoup.

Scripts, styles, navigation, hidden elements, comments and attributes are left out; nothing is loaded and no link is followed.
"""

import re

from bs4 import BeautifulSoup, Tag, UnicodeDammit
from bs4.element import CData, Comment, Declaration, Doctype, NavigableString, ProcessingInstruction

from ingest.chunking import Block
from ingest.loaders.work import Loaded, Work, find_year, names, tidy_doi, with_found_doi
from ingest.safety import decode
from knowledge.errors import RecordError

MOST_TAGS = 200_000
DEEPEST = 200
_DROPPED = (
    "script", "style", "noscript", "template", "iframe", "frame", "object", "embed", "applet", "form", "svg", "math",
    "canvas", "video", "audio", "nav", "aside", "footer", "dialog", "button", "select", "head",
)  # fmt: skip
_BLOCKS = {
    "p", "li", "dt", "dd", "blockquote", "pre", "td", "th", "tr", "table", "ul", "ol", "div", "section", "article",
    "main", "figure", "figcaption", "center", "h1", "h2", "h3", "h4", "h5", "h6", "body", "header",
    "address", "details", "summary",
}  # fmt: skip
_hidden_style = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(hidden|collapse)|opacity\s*:\s*0*\.?0+\s*(;|$)|font-size\s*:\s*0*[01]?(\.\d+)?(px|pt|em|rem|%)?\s*(;|$)"
    r"|(left|top|text-indent|margin-left)\s*:\s*-\d{3,}|clip\s*:\s*rect\(\s*0|(?<![-\w])color\s*:\s*(white|#fff\b|#ffffff\b|transparent)",
    re.IGNORECASE,
)
_boilerplate = re.compile(r"\b(cookie|consent|newsletter|breadcrumbs?|share-|social|skip-link|advert)", re.IGNORECASE)
_UNSEEN = (Comment, CData, Declaration, Doctype, ProcessingInstruction)


def load(data: bytes) -> Loaded:
    """The one work in a page. Raises RecordError."""
    text = _decoded(data)
    if text.count("<") > MOST_TAGS * 2:
        raise RecordError(f"It holds more than {MOST_TAGS:,} tags; save only the part you need.")
    _check_depth(text)
    page = BeautifulSoup(text, "lxml")
    meta = _meta(page)
    title = meta.get("citation_title") or meta.get("og:title") or meta.get("dc.title") or _text_of(page.title)
    hidden = _remove_unseen(page)
    root = page.find("main") or page.find(None, attrs={"role": "main"}) or page.find("article") or page.body or page
    assert isinstance(root, Tag)
    blocks = _blocks(root)
    heading = page.find("h1")
    work = Work(
        title=title or (_text_of(heading) if isinstance(heading, Tag) else ""),
        authors=meta_authors(page, meta),
        organization=meta.get("og:site_name", ""),
        year=find_year(
            meta.get("citation_publication_date") or meta.get("citation_date") or meta.get("article:published_time")
            or meta.get("dc.date") or meta.get("date") or _time(page)
        ),
        venue=meta.get("citation_journal_title", ""),
        doi=tidy_doi(meta.get("citation_doi") or meta.get("dc.identifier") or ""),
        url=_address(page, meta),
        blocks=tuple(blocks),
    )  # fmt: skip
    notes = (f"Left out {hidden:,} characters that the page hides; compare with the page.",) if hidden else ()
    return Loaded((with_found_doi(work),), notes)


def _decoded(data: bytes) -> str:
    """In the encoding that the page states in its first kilobyte, else UTF-8."""
    stated = re.search(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w-]+)", data[:2048], re.IGNORECASE)
    if (
        stated
        and stated[1].lower() not in (b"utf-8", b"utf8", b"utf-16")
        and not data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"))
    ):
        found = UnicodeDammit(data, known_definite_encodings=[stated[1].decode("ascii")], user_encodings=[])
        if found.unicode_markup is None or (found.original_encoding or "").lower() == "":
            raise RecordError(
                f"It is not in the encoding {stated[1].decode('ascii')} that it states; save it as UTF-8."
            )
        data = found.unicode_markup.encode("utf-8", "replace")
    return decode(data)


def _check_depth(text: str) -> None:
    depth = 0
    for match in re.finditer(
        r"<(/?)(?:div|span|table|ul|ol|li|b|i|em|strong|font|section|blockquote|a|p)\b", text, re.IGNORECASE
    ):
        depth = max(0, depth + (-1 if match[1] else 1))
        # Unclosed paragraphs and list items are ordinary, so only a wild depth counts.
        if depth > 50 * DEEPEST:
            raise RecordError("It is nested too deeply for any real page; save only the part you need.")


def _meta(page: BeautifulSoup) -> dict[str, str]:
    """The first value of each named meta element, by lower-case name."""
    found: dict[str, str] = {}
    for tag in page.find_all("meta"):
        name, content = tag.get("name") or tag.get("property"), tag.get("content")
        if isinstance(name, str) and isinstance(content, str) and content.strip():
            found.setdefault(name.lower(), content.strip())
    return found


def meta_authors(page: BeautifulSoup, meta: dict[str, str]) -> tuple[str, ...]:
    """All `citation_author` elements, else the one author that the page names."""
    listed = [tag.get("content") for tag in page.find_all("meta", attrs={"name": "citation_author"})]
    if listed:
        return tuple(name for name in listed if isinstance(name, str) and name.strip())
    named = meta.get("author") or meta.get("dc.creator") or meta.get("article:author") or ""
    return () if named.startswith("http") else names(named)


def _address(page: BeautifulSoup, meta: dict[str, str]) -> str:
    link = page.find("link", rel="canonical")
    href = link.get("href") if isinstance(link, Tag) else None
    return href if isinstance(href, str) and href.startswith("http") else meta.get("og:url", "")


def _time(page: BeautifulSoup) -> str:
    tag = page.find("time")
    value = tag.get("datetime") if isinstance(tag, Tag) else None
    return value if isinstance(value, str) else ""


def _text_of(tag: Tag | None) -> str:
    return " ".join(tag.get_text(" ").split()) if tag else ""


def _remove_unseen(page: BeautifulSoup) -> int:
    """Take out what a reader of the page would not see; returns how many characters were hidden on purpose."""
    hidden = 0
    unseen = _unseen_selectors(page)
    for tag in page.find_all(_DROPPED):
        tag.decompose()
    for tag in page.find_all(True):
        if tag.decomposed:
            continue
        style = str(tag.get("style") or "")
        classes, identity = list(tag.get("class") or ()), str(tag.get("id") or "")
        marks = " ".join([*classes, identity])
        styled = unseen & {*(f".{name}" for name in classes), f"#{identity}"}
        white = tag.name == "font" and str(tag.get("color") or "").lower() in ("white", "#fff", "#ffffff")
        if tag.has_attr("hidden") or tag.get("aria-hidden") == "true" or _hidden_style.search(style) or styled or white:
            hidden += len(_text_of(tag))
            tag.decompose()
        elif tag.name not in ("body", "html", "main", "article") and _boilerplate.search(marks):
            tag.decompose()
    return hidden


def _unseen_selectors(page: BeautifulSoup) -> set[str]:
    """The classes and ids that the page's own style sheet hides on every medium."""
    sheet = " ".join(tag.get_text() for tag in page.find_all("style"))[:200_000]
    everywhere = re.sub(r"@media[^{}]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", " ", sheet)
    rules = re.findall(r"([^{}]{1,500})\{([^{}]*)\}", everywhere)
    listed = (
        selector.strip() for selectors, body in rules if _hidden_style.search(body) for selector in selectors.split(",")
    )
    return {match[1] for selector in listed if (match := re.fullmatch(r"\w*([.#][\w-]+)", selector))}


def _blocks(root: Tag) -> list[Block]:
    """Text between block elements, in reading order, under the headings above it."""
    blocks: list[Block] = []
    headings: list[tuple[int, str]] = []
    words: list[str] = []

    def flush() -> None:
        if text := " ".join("".join(words).split()):
            blocks.append(Block(text, tuple(heading for _, heading in headings)))
        words.clear()

    # Trap: recursion would end in an error on a deep page, so the walk keeps its own stack; None closes a block.
    stack: list[Tag | NavigableString | None] = [root]
    while stack:
        node = stack.pop()
        if node is None:
            flush()
        elif isinstance(node, Tag):
            if re.fullmatch(r"h[1-6]", node.name):
                flush()
                level, title = int(node.name[1]), _text_of(node)
                headings = [heading for heading in headings if heading[0] < level]
                # The page's own title stands above everything and tells passages apart from nothing.
                headings += [(level, title)] if title and level > 1 else []
                continue
            if node.name == "br":
                words.append(" ")
            block = node.name in _BLOCKS
            if block:
                flush()
                stack.append(None)
            stack += [child for child in reversed(node.contents) if isinstance(child, Tag | NavigableString)]
        elif not isinstance(node, _UNSEEN):
            words.append(str(node))
    flush()
    return blocks


def blocks_of_markup(markup: str) -> tuple[list[Block], int]:
    """Blocks of a piece of HTML such as a chapter, and how many characters it hid."""
    page = BeautifulSoup(markup, "lxml")
    hidden = _remove_unseen(page)
    return _blocks(page), hidden
