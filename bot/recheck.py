"""Does a saved answer still stand? Its citations, each with the digest of what was cited, against the index of today.

Reads a reply's JSON, JSON lines of replies, or an export that carries a receipt: Markdown, DOCX or PDF. It holds no question
and asks none.
"""

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from bot.document import Document
from bot.reply import Reply
from knowledge.errors import QuestionError
from knowledge.generation import GenerationStore
from knowledge.index import PassageIndex
from knowledge.passage import digest_of, passages_of

FILE_LIMIT = 50_000_000  # bytes
RECEIPT_LIMIT = 5_000_000  # bytes
_receipt = re.compile(r"<!-- upstander receipt: (\{.*?\}) -->")


class Standing(StrEnum):
    """What became of a cited passage since."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    WITHDRAWN = "withdrawn"
    RETRACTED = "retracted"


@dataclass(frozen=True)
class Cited:
    """A citation as a saved answer has it."""

    record_id: str
    passage_id: str
    digest: str
    generation: str


@dataclass(frozen=True)
class Recheck:
    """A citation and what became of it; `reason` is one sentence for a person."""

    cited: Cited
    standing: Standing
    reason: str


def receipt(reply: Reply) -> str:
    """One line for the end of an exported text, invisible in Markdown and HTML, from which `recheck` knows what was cited."""
    cited = {
        (citation.passage.record_id, citation.passage.id, citation.passage.digest): None
        for claim in reply.claims
        for citation in claim.citations
    }
    return _receipt_line(reply.generation, cited)


def document_receipt(document: Document) -> str:
    """The same for a document: the passages that its lines repeat word for word, and its other sources as a whole."""
    cited: dict[tuple[str, str, str], None] = {}
    for number, record in enumerate(document.sources, start=1):
        said = {line.text for section in document.sections for line in section.lines if number in line.markers}
        passages = [(record.id, passage.id, passage.digest) for passage in passages_of(record) if passage.text in said]
        cited |= dict.fromkeys(passages or [(record.id, "", "")])
    return _receipt_line("", cited)


def _receipt_line(generation: str, cited: Iterable[tuple[str, str, str]]) -> str:
    listed = [{"record_id": record, "passage_id": passage, "digest": digest} for record, passage, digest in cited]
    return f"<!-- upstander receipt: {json.dumps({'generation': generation, 'citations': listed})} -->"


def read_citations(file: Path) -> list[Cited]:
    """The citations in a saved or exported answer, each once. Raises QuestionError for a file that holds none."""
    try:
        if file.stat().st_size > FILE_LIMIT:
            raise QuestionError(f"{file} is larger than {FILE_LIMIT:,} bytes; name a saved answer.", "too_long")
        text = _text(file.read_bytes())
    except (OSError, UnicodeDecodeError, PyPdfError, BadZipFile) as error:
        raise QuestionError(f"{file} cannot be read as text; name a saved answer.", "empty") from error
    found = {cited: None for reply in _replies(text) for cited in _citations(reply)}
    if not found:
        raise QuestionError(
            f"{file} holds no citation that can be checked; save an answer with: python -m bot ask … --json", "empty"
        )
    return list(found)


def _text(data: bytes) -> str:
    """A file's text; of a DOCX or a PDF only what stands where `bot.export` puts the receipt."""
    if data.startswith(b"%PDF-"):
        about = PdfReader(BytesIO(data)).metadata
        return str(about.get("/Keywords", "")) if about else ""
    if data.startswith(b"PK"):
        with ZipFile(BytesIO(data)) as archive:
            parts = [part for part in archive.infolist() if re.fullmatch(r"customXml/item\d+\.xml", part.filename)]
            return "\n".join(
                html.unescape(archive.read(part).decode()) for part in parts if part.file_size <= RECEIPT_LIMIT
            )
    return data.decode("utf-8-sig")


def _replies(text: str) -> Iterator[Mapping[str, Any]]:
    """Replies or receipts in a text: JSON as a whole, JSON lines, or receipts within anything else."""
    whole = _json(text)
    if isinstance(whole, Mapping):
        yield whole
    elif isinstance(whole, list):
        yield from (item for item in whole if isinstance(item, Mapping))
    else:
        for piece in [*_receipt.findall(text), *text.splitlines()]:
            value = _json(piece) if piece.startswith("{") else None
            if isinstance(value, Mapping):
                yield value


def _json(text: str) -> object:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value


def _citations(reply: Mapping[str, Any]) -> Iterator[Cited]:
    claims = reply.get("claims")
    nested = (
        [claim.get("citations") for claim in claims if isinstance(claim, Mapping)] if isinstance(claims, list) else []
    )
    for group in [*nested, reply.get("citations")]:
        for item in group if isinstance(group, list) else []:
            if not isinstance(item, Mapping) or not isinstance(item.get("passage_id"), str):
                continue
            digest, passage = item.get("digest"), item.get("passage")
            if not isinstance(digest, str):
                digest = digest_of(passage) if isinstance(passage, str) else ""
            record = item.get("record_id")
            yield Cited(
                record if isinstance(record, str) else item["passage_id"].rsplit(":", 1)[0],
                item["passage_id"],
                digest,
                str(reply.get("generation") or ""),
            )


def recheck(cited: Cited, index: PassageIndex) -> Recheck:
    """What became of one citation."""
    for record in index.retracted:
        if record.id == cited.record_id:
            reason = f"The source is marked as retracted ({record.retracted}); do not rely on it."
            return Recheck(cited, Standing.RETRACTED, reason)
    if cited.record_id not in index.record_number:
        return Recheck(cited, Standing.WITHDRAWN, "The source is no longer in the library; do not rely on it.")
    if not cited.passage_id:
        return Recheck(cited, Standing.UNCHANGED, "The source is in the library and not marked as retracted.")
    digests = {passage.digest for passage in index.passages if passage.record_id == cited.record_id}
    if cited.digest in digests:
        return Recheck(cited, Standing.UNCHANGED, "The source still says it, word for word.")
    row = index.row_of.get(cited.passage_id)
    if row is not None:
        return Recheck(cited, Standing.CHANGED, "The saved answer differs from what the source says; ask again.")
    return Recheck(
        cited, Standing.CHANGED, "The source has been changed and no longer says it in these words; ask again."
    )


def recheck_file(file: Path, store: GenerationStore) -> tuple[str, list[Recheck]]:
    """The live generation's id, and what became of each citation in a file.

    Raises QuestionError, IndexMissing or IndexCorrupt.
    """
    cited = read_citations(file)
    name = store.current()
    index = PassageIndex(store.path(name), store.manifest(name))
    return name, [recheck(item, index) for item in cited]
