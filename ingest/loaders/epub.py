"""EPUB books: their chapters in reading order, read as web pages. Door to defusedxml."""

import posixpath
import zipfile
import zlib
from io import BytesIO
from urllib.parse import unquote
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree as ElementTree
from defusedxml import DefusedXmlException

from ingest.chunking import Block
from ingest.loaders.html import blocks_of_markup
from ingest.loaders.work import Loaded, Work, find_year
from ingest.safety import decode
from knowledge.errors import RecordError

ENCRYPTION = "META-INF/encryption.xml"


def load(data: bytes) -> Loaded:
    """The one work in a book. Raises RecordError."""
    try:
        return _load(data)
    except DefusedXmlException as error:
        raise RecordError("It declares XML entities, as files made to exhaust a machine do; do not use it.") from error
    except (ParseError, KeyError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
        raise RecordError(f"It is a damaged .epub file ({type(error).__name__}); export it again.") from error


def _load(data: bytes) -> Loaded:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        if ENCRYPTION in archive.namelist():
            locked = ElementTree.fromstring(archive.read(ENCRYPTION))
            # Fonts may be scrambled in a book that anybody can read.
            if any((node.get("URI") or "").endswith(("html", "htm", "xml", "opf")) for node in locked.iter()):
                raise RecordError("It is protected against copying (DRM); use an edition without protection.")
        container = ElementTree.fromstring(archive.read("META-INF/container.xml"))
        places = [node.get("full-path") or "" for node in container.iter() if _name(node) == "rootfile"]
        place = places[0] if places else ""
        package = ElementTree.fromstring(archive.read(place))
        items = {node.get("id"): node.get("href") or "" for node in package.iter() if _name(node) == "item"}
        blocks: list[Block] = []
        hidden = 0
        for node in package.iter():
            href = items.get(node.get("idref")) if _name(node) == "itemref" else None
            if href:
                name = posixpath.normpath(posixpath.join(posixpath.dirname(place), unquote(href.split("#")[0])))
                found, unseen = blocks_of_markup(decode(archive.read(name)))
                blocks += found
                hidden += unseen
    said = {
        name: [(node.text or "").strip() for node in package.iter() if _name(node) == name and node.text]
        for name in ("title", "creator", "date", "publisher")
    }
    work = Work(
        title=next(iter(said["title"]), ""),
        authors=tuple(said["creator"]),
        organization=next(iter(said["publisher"]), ""),
        year=find_year(next(iter(said["date"]), "")),
        blocks=tuple(blocks),
    )
    notes = (f"Left out {hidden:,} characters that the book hides; compare with it.",) if hidden else ()
    return Loaded((work,), notes)


def _name(node: Element) -> str:
    """A tag without its namespace."""
    return str(node.tag).rsplit("}", 1)[-1]
