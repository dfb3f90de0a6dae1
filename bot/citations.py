"""Draft to claims: lines out of a stream of text, and the evidence that each line names.

Tolerant of how models decorate an answer, and strict about what a line cites and holds.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

from bot.drafting import DraftLine
from bot.prompts import NO_ANSWER
from bot.reply import Claim, Evidence
from knowledge.errors import ModelUnfinished
from knowledge.suspicion import active_markup, doubtful, suspicions, visible

MOST_CHARACTERS = 1_200  # of one claim; the longest statement has about 500

# [E1], [E1, E3], [E1][E3], 【E1】 and (E1); bare numbers count in square brackets only, since (2018) is a year.
_marker = re.compile(
    r"\s*(?:[\[【]\s*(E?\d{1,4}(?:\s*[,;]\s*E?\d{1,4})*)\s*[\]】]|\(\s*(E\d{1,4}(?:\s*[,;]\s*E\d{1,4})*)\s*\))",
    re.IGNORECASE,
)
_other_marker = re.compile(r"[\[【][^\]】]*[\]】]?|[\]】]")
_domain = re.compile(r"\b(?:[a-z0-9-]{2,}\.)+[a-z]{2,}\b(?:/\S*)?", re.IGNORECASE)
_bullet = re.compile(r"^(?:>\s*)*(?:(?:[-*•‣◦–—+]|\(?\d{1,2}[.)]|\(?[a-z]\))\s+)?(?:\[[ xX]\]\s+)?")
_heading = re.compile(r"^#{1,6}\s+|^={3,}$|^-{3,}$")
_emphasis = re.compile(r"\*\*|__|`|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w)")
_caveat = re.compile(r"^(?:cautions?|caveats?|limits?|limitations?|but note|note)\s*:\s*", re.IGNORECASE)
_begins_a_caveat = re.compile(
    r"^\W*(?:c(?:a(?:u|v|$)|$)|l(?:i(?:m|$)|$)|b(?:u(?:t|$)|$)|n(?:o(?:t|$)|$)|$)", re.IGNORECASE
)


def draft_lines(pieces: Iterable[str]) -> Iterator[DraftLine]:
    """The lines of a model's answer, each as soon as it is complete.

    An empty line is yielded as soon as it is sure that no caveat follows on the line before. A model's thoughts in
    <think> tags, headings and fences are left out. Whatever stops the pieces passes through, and with it goes the line
    that was not complete.
    """
    rest = ""
    thinking = waiting = False
    try:
        for piece in pieces:
            rest += piece
            *complete, rest = re.split(r"\r\n|[\n\r\u2028\u2029]", rest)
            for raw in complete:
                thinking, line = _outside_thoughts(raw, thinking)
                if read := _read(line):
                    yield read
                    waiting = True
            if waiting and rest.strip() and not thinking and not _begins_a_caveat.match(rest):
                yield DraftLine("")
                waiting = False
    except ModelUnfinished:
        if read := _read(_outside_thoughts(rest, thinking)[1]):
            yield read
        yield DraftLine("")
        raise
    if read := _read(_outside_thoughts(rest, thinking)[1]):
        yield read


def _outside_thoughts(line: str, thinking: bool) -> tuple[bool, str]:
    """Whether the model is still thinking after this line, and what of the line is no thought."""
    parts = re.split(r"(</?think(?:ing)?>)", line, flags=re.IGNORECASE)
    kept = []
    for part in parts:
        if re.fullmatch(r"</?think(?:ing)?>", part, re.IGNORECASE):
            thinking = not part.startswith("</")
        elif not thinking:
            kept.append(part)
    return thinking, "".join(kept)


def _read(raw: str) -> DraftLine | None:
    """A line without its decoration; None for one that says nothing: a heading, a fence, an announcement."""
    line = unicodedata.normalize("NFC", visible(raw)).strip()
    cited = _marker.search(line) is not None
    if not cited and (line.startswith("```") or line.endswith(":") or _heading.match(line) or line == NO_ANSWER):
        return None
    if re.fullmatch(r"\*\*[^*]+\*\*", line) and not cited:
        return None
    line = _emphasis.sub("", _bullet.sub("", _heading.sub("", line))).strip()
    said = _caveat.sub("", line)
    return DraftLine(said, limits=said != line) if re.search(r"\w", said) else None


def read_claim(line: str, evidence: Mapping[str, Evidence], limits: bool = False) -> Claim | None:
    """The claim on one line of a draft, `text [E1][E3]`; None for a line without words.

    A marker that names no evidence is kept in `unknown_markers`, so that the check sees it.

    >>> read_claim("Start small. [E9]", {}).unknown_markers
    ('E9',)
    """
    keys = [
        key.upper()
        for match in _marker.finditer(line)
        for key in re.split(r"\s*[,;]\s*", (match[1] or match[2]).strip())
    ]
    text = " ".join(_marker.sub("", line).split())
    if not re.search(r"\w", text):
        return None
    cited = tuple(evidence[key] for key in dict.fromkeys(keys) if key in evidence)
    passages = " ".join(item.passage.text for item in cited)
    unknown = [key for key in keys if key not in evidence]
    unknown += [other for other in _other_marker.findall(text) if other not in passages]
    return Claim(text, cited, tuple(dict.fromkeys(unknown)), limits)


def unfit(claim: Claim) -> str | None:
    """Why a claim may not be shown whatever its passages say, as a clause; None when nothing stands against it.

    Holds for every drafter. An address may be named as text where it is the cited source's own, such as decolbms.org.uk; a
    record that a person has reviewed may name others.
    """
    if markup := active_markup(claim.text):
        return f"it holds {markup}"
    if claim.unknown_markers:
        return f"it cites {claim.unknown_markers[0]}, which is no evidence"
    if not claim.cited:
        return "it cites nothing"
    if len(claim.text) > MOST_CHARACTERS:
        return "it is too long to be one claim"
    if all(item.record.reviewed for item in claim.cited):
        own = " ".join(item.passage.text for item in claim.cited)
    elif found := suspicions(claim.text):
        return f"it {found[0]}"
    elif any(doubtful(item.record) for item in claim.cited):
        return "it rests on a record that a person should look at first"
    else:
        sources = [item.record.source for item in claim.cited]
        own = " ".join(text for s in sources for text in (s.link, s.venue, s.organization, s.title) if text)
    foreign = [name for name in _domain.findall(claim.text) if name.lower() not in own.lower()]
    return f"it names the address {foreign[0]}" if foreign else None
