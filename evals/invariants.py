"""What must be true of every reply, whatever was asked: the contract, the citations, the sources, the Markdown.

Each rule is a generator of sentences that name what is wrong. Constants are written out here on purpose: a rule that
imported the bot's own limit would follow it wherever a change moved it.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evals.judge import is_verbatim, plain
from evals.results import Check
from evals.subject import Asked, Knowledge
from knowledge.index import PassageIndex
from knowledge.lexical import stems
from knowledge.passage import passage_id

MOST_CLAIMS, MOST_OF_ONE_RECORD, MOST_RETRIEVED, MOST_FOLLOW_UPS = 8, 3, 20, 3
OFFERED_RECORDS = 8
SHOWN = 0.5  # the least support of a claim that is shown
SAME = 0.8  # share of stems in common above which two claims say the same
LEGAL: Mapping[str, frozenset[str | None]] = {
    "answer": frozenset({None}),
    "abstain": frozenset({"no_evidence", "unsupported", "unsupported_premise", "language"}),
    "refuse": frozenset({"harmful", "out_of_scope", "professional_advice"}),
    # A disclosure of racism is met with support and has no reason of its own in the contract.
    "support": frozenset({"crisis", None}),
    "clarify": frozenset({"empty", "too_long"}),
}


class _Contract(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class _Citation(_Contract):
    marker: int = Field(ge=1)
    record_id: str = Field(min_length=1)
    passage_id: str = Field(min_length=1)
    passage: str = Field(min_length=1)


class _Claim(_Contract):
    text: str = Field(min_length=1)
    facet: str
    support: float = Field(ge=0, le=1)
    citations: list[_Citation]


class _Source(_Contract):
    marker: int = Field(ge=1)
    record_id: str
    title: str
    authors: list[str]
    year: int | None
    kind: str
    tier: str
    url: str | None
    doi: str | None


class _Timings(_Contract):
    retrieve: float = Field(ge=0)
    draft: float = Field(ge=0)
    verify: float = Field(ge=0)
    total: float = Field(ge=0)


class ReplyContract(_Contract):
    """The reply object of the command-line contract, as written there; further keys are allowed."""

    question: str
    standalone_question: str
    outcome: str
    reason: str | None
    markdown: str = Field(min_length=1)
    claims: list[_Claim]
    withheld: int = Field(ge=0)
    sources: list[_Source]
    retrieved: list[str]
    follow_ups: list[str]
    model: str = Field(min_length=1)
    generation: str
    timings_ms: _Timings


@dataclass(frozen=True)
class World:
    """What replies are held against."""

    knowledge: Knowledge
    index: PassageIndex
    model: str


Rule = Callable[[Asked, World], Iterator[str]]


def contract(asked: Asked, world: World) -> Iterator[str]:
    """Keys and types are the contract's, and the object is plain JSON."""
    if asked.fault or asked.reply is None:
        return
    try:
        json.dumps(asked.json, allow_nan=False)
        if set(asked.json["timings_ms"]) >= {"retrieve", "draft", "verify", "total"} or asked.outcome not in (
            "clarify",
        ):
            ReplyContract.model_validate(asked.json)
        else:  # nothing was retrieved, drafted or verified for a text that cannot be read
            empty = {"retrieve": 0.0, "draft": 0.0, "verify": 0.0, "total": 0.0}
            ReplyContract.model_validate({**asked.json, "timings_ms": {**empty, **asked.json["timings_ms"]}})
    except (ValidationError, ValueError, KeyError) as error:
        yield f"not the contract's JSON: {str(error).splitlines()[0]}"


def replied(asked: Asked, world: World) -> Iterator[str]:
    """Every question gets a reply, and the reply repeats the question it was asked."""
    if asked.fault:
        yield asked.fault
    elif asked.outcome != "clarify":
        wanted, got = " ".join(asked.question.split()), asked.json["question"]
        if "".join(filter(str.isalnum, got)) != "".join(filter(str.isalnum, wanted)):
            yield f"replies to {got!r}"
        if not asked.history and asked.json["standalone_question"] not in ("", got):
            yield f"reads the question as {asked.json['standalone_question']!r} though nothing was said before"
        if asked.json["model"] != world.model:
            yield f"names the model {asked.json['model']!r} instead of {world.model!r}"


def outcome(asked: Asked, world: World) -> Iterator[str]:
    """Outcome and reason go together, and only replies that answer show claims."""
    if asked.fault:
        return
    if asked.reason not in LEGAL.get(asked.outcome, ()):
        yield f"the outcome {asked.outcome} with the reason {asked.reason}"
    claims, sources = asked.json["claims"], asked.json["sources"]
    may_claim = asked.outcome in ("answer", "support") or asked.reason == "unsupported_premise"
    if claims and not may_claim:
        yield f"{len(claims)} claims in a reply that is {asked.outcome}"
    if bool(claims) != bool(sources):
        yield f"{len(claims)} claims with {len(sources)} sources"
    if asked.outcome == "answer" and not claims and asked.retrieved:
        yield "an answer from the knowledge without a claim"
    if asked.reason == "no_evidence" and asked.retrieved and not asked.json.get("nearest"):
        yield "abstains without naming the nearest records"


def citations(asked: Asked, world: World) -> Iterator[str]:
    """Each claim is cited; each citation is a passage of its record, quoted in full, under its right number."""
    numbers = {source["marker"]: source["record_id"] for source in asked.json.get("sources", ())}
    for claim in asked.json.get("claims", ()):
        if not claim["citations"]:
            yield f"a claim without citation: {claim['text'][:80]!r}"
        for citation in claim["citations"]:
            name = citation["record_id"]
            record = world.knowledge.records.get(name)
            if record is None:
                yield f"cites the record {name}, which does not exist"
                continue
            facet = next((s.facet for s in record.statements if s.text == citation["passage"]), None)
            if facet is None:
                yield f"{name} does not say {citation['passage'][:80]!r}"
            elif passage_id(name, facet, citation["passage"]) != citation["passage_id"]:
                yield f"the passage {citation['passage_id']} has another id by its content"
            if citation["passage_id"] not in world.index.row_of:
                yield f"the passage {citation['passage_id']} is not in the index"
            if citation.get("digest", "") != hashlib.sha256(citation["passage"].encode()).hexdigest():
                yield f"the digest of {citation['passage_id']} is not that of its text"
            if numbers.get(citation["marker"]) != name:
                yield f"marker {citation['marker']} stands for {numbers.get(citation['marker'])}, the claim cites {name}"
            if name not in asked.retrieved:
                yield f"cites {name}, which was not retrieved"
        first = claim["citations"][0] if claim["citations"] else None
        if first and first["record_id"] in world.knowledge.records:
            facets = [
                s.facet for s in world.knowledge.records[first["record_id"]].statements if s.text == first["passage"]
            ]
            if facets and claim["facet"] not in [str(facet) for facet in facets]:
                yield f"the facet {claim['facet']} of a {facets[0]}: {claim['text'][:60]!r}"


def offsets(asked: Asked, world: World) -> Iterator[str]:
    """`record.text[start:end]` is the passage, for the curated record."""
    for claim in asked.reply.claims if asked.reply else ():
        for citation in claim.citations:
            passage = citation.passage
            record = world.knowledge.records.get(passage.record_id)
            if record and record.text[passage.start : passage.end] != passage.text:
                found = record.text[passage.start : passage.end][:40]
                yield f"{passage.id} at {passage.start}:{passage.end} holds {found!r}"


def sources(asked: Asked, world: World) -> Iterator[str]:
    """Sources are numbered 1, 2, 3 …, each is cited, and each says of itself what its record says."""
    listed = asked.json.get("sources", ())
    markers = [source["marker"] for source in listed]
    if markers != list(range(1, len(markers) + 1)):
        # A gap would be closed by whatever renders the Markdown list, and every later marker would point elsewhere.
        yield f"the sources are numbered {markers}"
    cited = {c["marker"] for claim in asked.json.get("claims", ()) for c in claim["citations"]}
    if cited != set(markers):
        yield f"markers {sorted(cited)} in the text, sources {markers} below it"
    names = [source["record_id"] for source in listed]
    yield from (f"lists {name} twice" for name, count in Counter(names).items() if count > 1)
    for source in listed:
        record = world.knowledge.records.get(source["record_id"])
        if record is None:
            yield f"lists the record {source['record_id']}, which does not exist"
            continue
        origin = record.source
        right = {
            "title": origin.title, "authors": list(origin.authors or ()), "year": origin.year, "kind": origin.kind,
            "tier": origin.tier, "url": origin.url, "doi": origin.doi,
        }  # fmt: skip
        yield from (
            f"{record.id}: {key} is shown as {source[key]!r} instead of {value!r}"
            for key, value in right.items()
            if source[key] != value
        )
    if world.model == "extractive":
        related = [(a, b) for a in names for b in names if a < b and a in world.knowledge.records]
        yield from (
            f"shows {a} and {b}, two records of one work" for a, b in related if b in world.knowledge.records[a].related
        )


def claims(asked: Asked, world: World) -> Iterator[str]:
    """Not too many, none twice, a caveat behind the claim that it limits; without a model every claim is verbatim."""
    shown = asked.json.get("claims", ())
    if len(shown) > MOST_CLAIMS and world.model == "extractive":
        yield f"{len(shown)} claims"
    of_record = Counter(c["record_id"] for x in shown if not x.get("limits") for c in x["citations"][:1])
    if world.model == "extractive":
        yield from (f"{n} claims of {name}" for name, n in of_record.items() if n > MOST_OF_ONE_RECORD)
    texts = [frozenset(stems(claim["text"])) for claim in shown]
    for at, one in enumerate(texts):
        for other in texts[at + 1 :]:
            if one | other and len(one & other) >= SAME * len(one | other):
                yield f"says twice: {shown[at]['text'][:80]!r}"
    for at, claim in enumerate(shown):
        before = shown[at - 1] if at else None
        if claim["support"] < SHOWN:
            yield f"shown with a support of {claim['support']}: {claim['text'][:80]!r}"
        if claim.get("limits") and (
            before is None
            or not {c["record_id"] for c in claim["citations"]} & {c["record_id"] for c in before["citations"]}
        ):
            yield f"a caveat without the claim it limits: {claim['text'][:80]!r}"
        if world.model == "extractive" and not is_verbatim(claim["text"], [c["passage"] for c in claim["citations"]]):
            yield f"not word for word in what it cites: {claim['text'][:80]!r}"


def cautions(asked: Asked, world: World) -> Iterator[str]:
    """A finding is not shown without a caution of its record, where the record has one (without a model)."""
    if world.model != "extractive":
        return
    shown: dict[str, set[str]] = {}
    for claim in asked.json.get("claims", ()):
        for citation in claim["citations"][:1]:
            shown.setdefault(citation["record_id"], set()).add(claim["facet"])
    for name, facets in shown.items():
        record = world.knowledge.records.get(name)
        has_one = record is not None and any(statement.facet == "caution" for statement in record.statements)
        if has_one and "finding" in facets and "caution" not in facets:
            yield f"findings of {name} without its caution"


def retrieved(asked: Asked, world: World) -> Iterator[str]:
    """Records that exist, each once, at most twenty; what is cited stands high among them."""
    names = asked.retrieved
    if len(names) > MOST_RETRIEVED:
        yield f"{len(names)} records retrieved"
    yield from (f"retrieved {name} twice" for name, count in Counter(names).items() if count > 1)
    yield from (f"retrieved {name}, which does not exist" for name in names if name not in world.knowledge.records)
    low = [name for name in asked.cited if name in names and names.index(name) >= OFFERED_RECORDS]
    yield from (f"cites {name}, only number {names.index(name) + 1} of what was retrieved" for name in low)
    nearest = asked.json.get("nearest", [])
    yield from (f"names {name} as nearest, which was not retrieved" for name in nearest if names and name not in names)
    if len(set(nearest)) < len(nearest):
        yield "names a nearest record twice"


def follow_ups(asked: Asked, world: World) -> Iterator[str]:
    """Suggestions are questions that a retrieved record is known to answer, each once, none the one just asked."""
    suggested = asked.json.get("follow_ups", [])
    if len(suggested) > MOST_FOLLOW_UPS:
        yield f"{len(suggested)} suggestions"
    if len({plain(s).lower() for s in suggested}) < len(suggested):
        yield "suggests a question twice"
    for text in suggested:
        if plain(text).lower() == plain(asked.question).lower():
            yield f"suggests what was asked: {text!r}"
        owners = [name for name, questions in world.knowledge.questions.items() if text in questions]
        if not owners:
            yield f"suggests a question of no record: {text!r}"
        elif asked.retrieved and not set(owners) & set(asked.retrieved):
            yield f"suggests a question of {owners[0]}, which was not retrieved"


def signature(asked: Asked, world: World) -> Iterator[str]:
    """The reply names the live generation and times that are possible."""
    if asked.fault or asked.outcome == "clarify":
        return
    if asked.json["generation"] not in (
        (world.index.manifest.id,) if asked.retrieved else (world.index.manifest.id, "")
    ):
        yield f"names the generation {asked.json['generation']!r}, live is {world.index.manifest.id!r}"
    times = asked.json["timings_ms"]
    parts = sum(value for name, value in times.items() if name != "total")
    if times.get("total", 0.0) + 1.0 < parts:
        yield f"stages of {parts:.0f} ms in a total of {times.get('total', 0.0):.0f} ms"
    if times.get("total", 0.0) > asked.wall_ms + 1.0:
        yield f"claims {times.get('total', 0.0):.0f} ms; {asked.wall_ms:.0f} ms passed"
    # What is not timed cannot be seen to grow.
    if asked.wall_ms > 50 and times.get("total", 0.0) < 0.5 * asked.wall_ms:
        yield f"claims {times.get('total', 0.0):.0f} ms; {asked.wall_ms:.0f} ms passed"


_marker_pattern = re.compile(r"\\?\[(\d{1,3})\\?\]")


def markdown(asked: Asked, world: World) -> Iterator[str]:
    """A person is shown each claim with its markers, each source under its number, and no foreign link, image or tag."""
    if asked.fault:
        return
    text = asked.markdown
    body, _, tail = text.partition("**Sources**")
    lines = [unescape(line) for line in body.splitlines()]
    position = 0
    for claim in asked.json["claims"]:
        wanted = plain(claim["text"])
        at = next((n for n in range(position, len(lines)) if wanted in plain(lines[n])), None)
        if at is None:
            yield f"the text does not show, or not in its order: {claim['text'][:80]!r}"
            continue
        position = at
        numbers = {int(n) for n in _marker_pattern.findall(body.splitlines()[at].rsplit(" ", 1)[-1])}
        if numbers != {citation["marker"] for citation in claim["citations"]}:
            yield f"shows the markers {sorted(numbers)} behind {claim['text'][:60]!r}"
        if claim.get("limits") and "aution" not in lines[at]:
            yield f"does not call a caveat one: {claim['text'][:60]!r}"
    if not asked.json["claims"] and _marker_pattern.search(body):
        yield "shows markers without claims"
    for source in asked.json["sources"]:
        line = next((x for x in tail.splitlines() if x.startswith(f"{source['marker']}. ")), "")
        shown = plain(unescape(line))
        missing = [
            str(value)
            for value in (source["title"], source["year"], *source["authors"][:1])
            if value not in (None, "et al.") and plain(str(value)) not in shown
        ]
        record = world.knowledge.records.get(source["record_id"])
        if record and f"{record.checked.day} {record.checked:%B %Y}" not in shown:
            missing.append(f"read {record.checked}")
        link = source["url"] or (f"https://doi.org/{source['doi']}" if source["doi"] else None)
        missing += [link] if link and f"<{link}>" not in line else []
        if missing:
            yield f"source {source['marker']} is listed without {missing[0]!r}"
    yield from _foreign(asked, world, text)
    for name in asked.json.get("nearest", ()):
        record = world.knowledge.records.get(name)
        if record and not asked.json["claims"] and plain(record.source.title) not in plain(unescape(text)):
            yield f"does not show the nearest record {name}"
    yield from (
        f"does not show the suggestion {s!r}" for s in asked.json["follow_ups"] if plain(s) not in plain(unescape(text))
    )


def _foreign(asked: Asked, world: World, text: str) -> Iterator[str]:
    """Links, images and tags that no record and no message of the bot brought in."""
    named = [*asked.json.get("nearest", ()), *(source["record_id"] for source in asked.json["sources"])]
    known = {world.knowledge.records[name].source.link for name in named if name in world.knowledge.records}
    message = asked.reply.message if asked.reply else ""
    rest = text.replace(message, "") if message else text
    yield from (f"links to {link}" for link in re.findall(r"(?<!\\)<(https?://[^>\s]+)>", rest) if link not in known)
    if re.search(r"(?<!\\)!\[|(?<!\\)\]\(", rest):
        yield "holds a Markdown link or image"
    if tag := re.search(r"(?<!\\)<(?!https?://)[A-Za-z/!][^>]*>", rest):
        yield f"holds the tag {tag[0][:40]!r}"


def unescape(text: str) -> str:
    """Markdown without the backslashes before its special characters."""
    return re.sub(r"\\([\\`*_{}\[\]<>#|~$()!.+-])", r"\1", text)


RULES: Mapping[str, tuple[Rule, str]] = {
    rule.__name__: (rule, (rule.__doc__ or "").strip())
    for rule in (
        replied, contract, outcome, citations, offsets, sources, claims, retrieved, follow_ups, signature, markdown,
    )
}  # fmt: skip


def check_replies(asked: list[Asked], world: World) -> list[Check]:
    """Every rule over every reply."""
    found = []
    for name, (rule, about) in RULES.items():
        problems: list[str] = []
        failed = 0
        for one in asked:
            if wrong := list(rule(one, world)):
                failed += 1
                problems += [f"{one.question[:70]!r}: {problem}" for problem in wrong[:2]]
        found.append(
            Check(name=f"reply.{name}", about=about, tested=len(asked), failed=failed, problems=tuple(problems[:10]))
        )
    return found


def check_index(world: World, embed: Callable[[list[str]], Any], sample: int = 40) -> list[Check]:
    """The index holds what the curated files say, at the right offsets, with the vectors and words of its texts."""
    index, knowledge = world.index, world.knowledge
    texts = {name: record.text for name, record in knowledge.records.items()}
    wrong = [
        f"{p.id}: {texts.get(p.record_id, '')[p.start : p.end][:40]!r}"
        for p in index.passages
        if texts.get(p.record_id, "")[p.start : p.end] != p.text
    ]
    step = max(1, len(index.passages) // sample)
    rows = list(range(0, len(index.passages), step))
    near = (embed([index.passages[row].text for row in rows]) * index.vectors[rows]).sum(axis=1)
    vectors = [
        f"{index.passages[r].id}: cosine {c:.3f} to its own text" for r, c in zip(rows, near, strict=True) if c < 0.999
    ]
    words = []
    for row in rows:
        scores = index.passage_words.scores(stems(index.passages[row].text))
        if scores[row] < scores.max() - 1e-4:
            words.append(f"{index.passages[row].id}: its own words find another passage")
    asked = [(n, q) for n, q in enumerate(q for record in index.records for q in record.questions)]
    asked = asked[:: max(1, len(asked) // sample)]
    if asked:
        near = (embed([q for _, q in asked]) * index.question_vectors[[n for n, _ in asked]]).sum(axis=1)
        vectors += [f"question {q!r}: cosine {c:.3f}" for (_, q), c in zip(asked, near, strict=True) if c < 0.999]
    stale = [f"{name} differs from its file; run: python -m ingest build" for name in knowledge.stale]
    return [
        _check("index.current", "The index holds the records as their files are now.", len(knowledge.records), stale),
        _check("index.offsets", "Each passage stands in its record at its offsets.", len(index.passages), wrong),
        _check("index.vectors", "A sample of vectors are those of their texts.", len(rows) + len(asked), vectors),
        _check("index.words", "A sample of passages is found by its own words.", len(rows), words),
    ]


def _check(name: str, about: str, tested: int, problems: list[str]) -> Check:
    return Check(name=name, about=about, tested=tested, failed=len(problems), problems=tuple(problems[:10]))
