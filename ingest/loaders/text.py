"""Plain text: paragraphs between blank lines; a short first line without a full stop is its title."""

import re

from ingest.chunking import Block
from ingest.loaders.work import Loaded, Work, with_found_doi
from ingest.safety import decode

TITLE_CHARACTERS = 200


def load(data: bytes) -> Loaded:
    """The one work in a text file. Raises RecordError."""
    paragraphs = [part.strip() for part in re.split(r"\n[ \t]*\n", decode(data).replace("\r\n", "\n")) if part.strip()]
    title = ""
    if len(paragraphs) > 1 and len(paragraphs[0]) <= TITLE_CHARACTERS and not paragraphs[0].endswith((".", "?", "!")):
        title, *paragraphs = paragraphs
    return Loaded((with_found_doi(Work(title=title, blocks=tuple(map(Block, paragraphs)))),))
