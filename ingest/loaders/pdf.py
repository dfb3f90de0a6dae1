"""PDF: the visible text of each page in reading order, with page numbers. Door to pypdf.

Text that a reader of the page cannot see is left out, unless it is the text layer of a scan. Pages without text are said.
"""

import re
from collections import Counter
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import pypdf
from pypdf.errors import DependencyError, PyPdfError
from pypdf.generic import ContentStream, NameObject

from ingest.chunking import Block, sentences
from ingest.loaders.work import Loaded, Work, names, with_found_doi
from knowledge.errors import RecordError

MOST_PAGES = 3_000
LETTERS_OF_A_PAGE = 20  # a page with fewer has no text to speak of
SMALLEST_POINTS = 2.0
DAMAGED = "It is a damaged PDF ({}); open it in a PDF program and save or print it as a new PDF."
LIMITS = {
    "array_based_stream_maximum_output_length": 50_000_000,
    "lzw_maximum_output_length": 50_000_000,
    "maximum_declared_stream_length": 50_000_000,
    "page_tree_maximum_entries": 10_000,
    "page_tree_maximum_page_entries": 200_000,
    "run_length_maximum_output_length": 50_000_000,
    "stream_decoding_work_maximum_length": 150_000_000,
    "xform_maximum_invocations_per_extraction": 500,
    "zlib_maximum_output_length": 50_000_000,
}
_FAULTS = (
    PyPdfError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    AssertionError,
    NotImplementedError,
    OSError,
)


def load(data: bytes) -> Loaded:
    """The one work in a PDF. Raises RecordError."""
    with pypdf.apply_configuration(pypdf.get_configuration().with_overwrites(**LIMITS)):
        try:
            return _load(data)
        except RecursionError as error:
            raise RecordError(DAMAGED.format("its parts contain themselves")) from error
        except DependencyError as error:
            raise RecordError("It is encrypted; print it to a new PDF, or save it without protection.") from error
        # Trap: a damaged file makes pypdf raise whatever the first wrong object leads to.
        except _FAULTS as error:
            raise RecordError(DAMAGED.format(type(error).__name__)) from error


def _load(data: bytes) -> Loaded:
    reader = pypdf.PdfReader(BytesIO(data), strict=False, xref_stream_maximum_entries=200_000)
    if reader.is_encrypted and not reader.decrypt(""):
        raise RecordError("It is protected by a password; save it without one.")
    if len(reader.pages) > MOST_PAGES:
        raise RecordError(f"It has {len(reader.pages):,} pages, more than {MOST_PAGES:,}; split it.")
    if not reader.pages:
        raise RecordError("It has no pages; export it again.")
    texts: list[str] = []
    hidden, scans = 0, 0
    for page in reader.pages:
        text, unseen, scan = _page_text(page, reader)
        texts.append(text)
        hidden += unseen
        scans += scan
    without = [str(number) for number, text in enumerate(texts, start=1) if _letters(text) < LETTERS_OF_A_PAGE]
    if len(without) == len(texts):
        raise RecordError("It holds no text, only pictures of pages; run text recognition (OCR) on it first.")
    blocks = _paragraphs(texts)
    about = _about(reader)
    notes = []
    if hidden:
        notes.append(f"Left out {hidden:,} characters that the pages do not show; compare with the PDF.")
    if active := _active(reader):
        notes.append(f"It holds {active}, which were left out; nothing of them was run.")
    if scans:
        notes.append(f"The text of {scans} scanned pages comes from text recognition; check figures and names.")
    # A blank or picture page is ordinary; many of them are a scan.
    if len(without) > max(1, len(texts) // 5):
        shown = ", ".join(without[:10]) + (" …" if len(without) > 10 else "")
        notes.append(f"No text on pages {shown}; run text recognition (OCR) if they matter.")
    return Loaded(
        (with_found_doi(replace(about, title=about.title or _title(reader, blocks), blocks=tuple(blocks))),),
        tuple(notes),
    )


def _active(reader: pypdf.PdfReader) -> str:
    """What in the file could act when it is opened: scripts, launch actions, attachments."""
    root: Any = reader.trailer["/Root"].get_object()
    named, pages = _part(root, "/Names"), [page for page in reader.pages if "/AA" in page or "/Annots" in page]
    found = []
    if "/JavaScript" in named or "/AA" in root or _acts(root, "/OpenAction") or any(map(_page_acts, pages)):
        found.append("scripts or actions")
    if "/EmbeddedFiles" in named:
        found.append("attachments")
    if "/XFA" in _part(root, "/AcroForm"):
        found.append("a form")
    return " and ".join(found)


def _page_acts(page: Any) -> bool:
    return "/AA" in page or any(_acts(note.get_object(), "/A") for note in _part(page, "/Annots"))


def _acts(owner: Any, name: str) -> bool:
    """Whether an action does more than go to a place or an address."""
    action = _part(owner, name)
    return isinstance(action, dict) and action.get("/S") in ("/JavaScript", "/Launch", "/SubmitForm", "/ImportData")


def _part(owner: Any, name: str) -> Any:
    """A dictionary or list within a dictionary, empty where there is none."""
    value = owner.get(name)
    return value.get_object() if value is not None else {}


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))


def _about(reader: pypdf.PdfReader) -> Work:
    """Title and authors from the document information, where it holds anything but a file name."""
    try:
        info = reader.metadata
    except _FAULTS:
        return Work()
    if info is None:
        return Work()
    title = _plain(info.get("/Title"))
    # Trap: word processors leave "Microsoft Word - draft3.doc" and the like.
    if re.search(r"^(microsoft|untitled|slide 1)|\.(docx?|indd|tex|pdf|qxd|pptx?)$", title, re.IGNORECASE):
        title = ""
    # The day on which the file was made is not the year of the work, so it is not taken for one.
    return Work(title=title, authors=names(_plain(info.get("/Author"))))


def _plain(value: object) -> str:
    return " ".join(str(value).split()) if isinstance(value, str) else ""


@dataclass
class _State:
    """What decides whether shown text can be seen; sizes in points, position in user space."""

    mode: int = 0
    white: bool = False
    size: float = 0.0
    scale: float = 1.0
    matrix: tuple[float, ...] = (1, 0, 0, 1, 0, 0)
    x: float = 0.0
    y: float = 0.0
    text_scale: float = 1.0
    leading: float = 0.0


def _page_text(page: pypdf.PageObject, reader: pypdf.PdfReader) -> tuple[str, int, bool]:
    """The text of a page, how many characters on it are hidden, and whether its text is a scan's text layer."""
    contents = page.get_contents()
    if contents is None:
        return "", 0, False
    stream = ContentStream(contents, reader)
    box = page.mediabox
    kept, hidden = _visible(stream.operations, (float(box.left), float(box.bottom), float(box.right), float(box.top)))
    if hidden:
        layer = _text(page)
        stream.operations = kept
        page[NameObject("/Contents")] = stream
        text = _text(page)
        if _letters(text) < LETTERS_OF_A_PAGE and _has_image(page):
            return layer, 0, True
        return text, hidden, False
    return _text(page), 0, False


def _text(page: pypdf.PageObject) -> str:
    """The text in the order of the file, or column by column where the file goes line by line across columns."""
    fragments: list[tuple[float, float, float, str]] = []

    def visit(text: str, cm: list[float], tm: list[float], font: object, size: float | None) -> None:
        if text.strip():
            fragments.append(
                (
                    tm[4] * cm[0] + tm[5] * cm[2] + cm[4],
                    tm[4] * cm[1] + tm[5] * cm[3] + cm[5],
                    float(size or 10),
                    text.strip(),
                )
            )

    plain = str(page.extract_text(visitor_text=visit))
    return _by_columns(fragments, float(page.mediabox.left), float(page.mediabox.right)) or plain


def _by_columns(fragments: list[tuple[float, float, float, str]], left: float, right: float) -> str:
    """Fragments of an interleaved two-column page, first column first; empty where the page is not one."""
    middle = (left + right) / 2
    rows: list[list[tuple[float, float, float, str]]] = []
    for fragment in fragments:
        if rows and abs(rows[-1][-1][1] - fragment[1]) < 2:
            rows[-1].append(fragment)
        else:
            rows.append([fragment])
    starts = Counter(round(x / 4) for x, _, _, _ in fragments if x > middle - 5)
    gutter_start, common = starts.most_common(1)[0] if starts else (0, 0)
    paired = [
        row
        for row in rows
        if len(row) > 1 and row[0][0] < middle - 20 and any(abs(round(f[0] / 4) - gutter_start) <= 1 for f in row[1:])
    ]
    # Interleaved: most rows hold a left and a right piece that begin at the same two places. A table has more columns
    # and shorter pieces, so full lines are asked for.
    if len(paired) < 6 or len(paired) < 0.5 * len(rows) or common < 6:
        return ""
    if sum(len(f[3]) for row in paired for f in row) < 30 * len(paired):
        return ""
    edge = gutter_start * 4 - 6
    parts: list[str] = []
    first: list[str] = []
    second: list[str] = []
    last_y = None
    for row in rows:
        inside = [f[3] for f in row if f[0] < edge]
        beyond = [f[3] for f in row if f[0] >= edge]
        # A line over both columns (a heading) ends the columns above it.
        wide = not beyond and sum(len(f[3]) * f[2] * 0.45 for f in row) > (edge - left)
        gap = last_y is not None and abs(last_y - row[0][1]) > 2.2 * row[0][2]
        last_y = row[0][1]
        if wide:
            parts += [*first, "", *second, "", " ".join(inside)]
            first, second = [], []
            continue
        if gap:
            first += [""]
            second += [""]
        first += [" ".join(inside)] if inside else []
        second += [" ".join(beyond)] if beyond else []
    return "\n".join([*parts, *first, "", *second])


def _has_image(page: pypdf.PageObject) -> bool:
    """Whether the page places a picture, as a scan does."""
    resources: Any = page.get("/Resources")
    objects: Any = resources.get_object().get("/XObject") if resources else None
    placed = objects.get_object().values() if objects else ()
    return any(thing.get_object().get("/Subtype") == "/Image" for thing in placed)


def _visible(
    operations: list[tuple[list[object], bytes]], box: tuple[float, float, float, float]
) -> tuple[list[tuple[list[object], bytes]], int]:
    """Operations without those that show text nobody can see, and how many characters those had.

    Unseen: render mode 3, below two points, outside the page, or white where nothing was painted or placed before.
    """
    state, saved = _State(), []
    painted = False
    kept, hidden = [], 0
    for operands, operator in operations:
        if operator == b"q":
            saved.append(replace(state))
        elif operator == b"Q" and saved:
            state = saved.pop()
        elif operator == b"cm":
            state.matrix = _times(_numbers(operands, 6), state.matrix)
            state.scale = abs(state.matrix[0] * state.matrix[3] - state.matrix[1] * state.matrix[2]) ** 0.5
        elif operator == b"Tr":
            state.mode = int(_numbers(operands, 1)[0])
        elif operator == b"Tf":
            state.size = _numbers(operands[1:], 1)[0]
        elif operator in (b"g", b"rg", b"k", b"sc", b"scn"):
            numbers = [float(n) for n in operands if isinstance(n, int | float)]
            state.white = bool(numbers) and (
                all(n == 0 for n in numbers) if len(numbers) == 4 else all(n >= 0.99 for n in numbers)
            )
        elif operator == b"BT":
            state.x = state.y = 0.0
            state.text_scale = 1.0
        elif operator == b"Tm":
            a, b, c, d, state.x, state.y = _numbers(operands, 6)
            state.text_scale = abs(a * d - b * c) ** 0.5
        elif operator in (b"Td", b"TD"):
            dx, dy = _numbers(operands, 2)
            state.x, state.y = state.x + dx * state.text_scale, state.y + dy * state.text_scale
        elif operator in (b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*", b"sh", b"Do", b"INLINE IMAGE"):
            painted = True
        if operator in (b"Tj", b"TJ", b"'", b'"'):
            _, _, _, _, x, y = _times((1, 0, 0, 1, state.x, state.y), state.matrix)
            size = abs(state.size) * state.text_scale * state.scale
            outside = not (box[0] - 20 <= x <= box[2] + 20 and box[1] - 20 <= y <= box[3] + 20)
            if state.mode == 3 or 0 < size < SMALLEST_POINTS or outside or (state.white and not painted):
                hidden += _length(operands)
                continue
        kept.append((operands, operator))
    return kept, hidden


def _times(one: tuple[float, ...], other: tuple[float, ...]) -> tuple[float, ...]:
    """The product of two PDF matrices [a b c d e f]."""
    a, b, c, d, e, f = one
    g, h, i, j, k, m = other
    return (a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m)


def _numbers(operands: list[object], count: int) -> tuple[float, ...]:
    numbers = [float(n) for n in operands if isinstance(n, int | float)]
    if len(numbers) < count:
        raise ValueError("a drawing instruction lacks its numbers")
    return tuple(numbers[:count])


def _length(operands: list[object]) -> int:
    """Characters (or bytes, for coded fonts) that a text instruction shows."""
    total = 0
    for operand in operands:
        if isinstance(operand, list):
            total += _length(operand)
        elif isinstance(operand, str | bytes):
            total += len(operand)
    return total


def _paragraphs(texts: list[str]) -> list[Block]:
    """Lines joined to paragraphs, hyphenated words made whole, running heads left out; a paragraph keeps its first page."""
    edges = Counter(
        _without_digits(line) for text in texts for line in {*_lines(text)[:2], *_lines(text)[-2:]} if len(texts) > 3
    )
    running = {line for line, count in edges.items() if count > len(texts) / 2}
    blocks: list[Block] = []
    parts: list[str] = []
    begun = 1
    widths = sorted(len(line) for text in texts for line in _lines(text))
    usual = widths[int(len(widths) * 0.75)] if widths else 0

    def end() -> None:
        if text := " ".join(parts).strip():
            blocks.append(Block(text, page=begun))
        parts.clear()

    for number, text in enumerate(texts, start=1):
        lines = _lines(text, blank=True)
        for place, line in enumerate(lines):
            edge = place < 3 or place >= len(lines) - 3
            if edge and (
                _without_digits(line) in running or re.fullmatch(r"(page )?\d{1,4}( of \d+)?", line, re.IGNORECASE)
            ):
                continue
            if not line:
                end()
                continue
            if not parts:
                begun = number
            if parts and re.search(r"[^\W\d_]-$", parts[-1]) and line[0].islower():
                parts[-1] = parts[-1][:-1] + line
            else:
                parts.append(line)
            if begun < number and len(said := sentences(" ".join(parts))) > 1:
                # What began on the page before is complete; the rest stands on this page.
                blocks.append(Block(said[0], page=begun))
                begun, parts[:] = number, [" ".join(said[1:])]
            # A short line that ends a sentence ends its paragraph; blank lines are rare in what pypdf gives.
            if line.endswith((".", "?", "!", ":")) and len(line) < 0.8 * usual:
                end()
        # A sentence may go on over the page break, those before it do not.
        said = sentences(" ".join(parts))
        if said and not said[-1].endswith((".", "?", "!")):
            parts[:] = [" ".join(said[:-1])] if said[:-1] else []
            end()
            parts[:] = said[-1:]
        else:
            end()
    end()
    return blocks


def _lines(text: str, blank: bool = False) -> list[str]:
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return lines if blank else [line for line in lines if line]


def _without_digits(line: str) -> str:
    return re.sub(r"\d+", "#", line)


def _title(reader: pypdf.PdfReader, blocks: list[Block]) -> str:
    """The text in the largest letters on the first page, if it reads like a title; else nothing."""
    pieces: list[tuple[float, str]] = []

    def visit(text: str, cm: list[float], tm: list[float], font: object, size: float | None) -> None:
        if text.strip():
            scale = abs(tm[0] * tm[3] - tm[1] * tm[2]) ** 0.5 or 1.0
            pieces.append((round(float(size or 0) * scale, 1), " ".join(text.split())))

    reader.pages[0].extract_text(visitor_text=visit)
    largest = max((size for size, text in pieces if len(text) > 2), default=0.0)
    usual = Counter(size for size, text in pieces for _ in text).most_common(1)
    title = " ".join(text for size, text in pieces if size == largest)
    return title if usual and largest > usual[0][0] and 8 <= len(title) <= 300 else ""
