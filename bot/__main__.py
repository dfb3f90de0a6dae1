"""python -m bot: ask, check claims, find and export resources, plan, review slides, or open the chat page."""

import argparse
import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from bot.assembly import assemble, assemble_planner, assemble_recommender, open_library, open_verifier
from bot.cards import comparison_markdown, recommendation_markdown
from bot.citing import STYLES
from bot.contract import (
    batch_id,
    check_json,
    read_batch_line,
    read_check_line,
    recommendation_json,
    reply_json,
    review_json,
)
from bot.decks import read_apart
from bot.document import Document
from bot.engine import Engine
from bot.export import FORMATS, export, reading_list, syllabus_entry
from bot.grounding import Verifier
from bot.llm import destinations
from bot.needs import LONGEST_NEED, read_need, with_options
from bot.plan import Situation
from bot.questions import check_question
from bot.recheck import Standing, recheck_file
from bot.recommender import RESULTS
from bot.render import markdown
from bot.reply import Outcome
from bot.review import review, review_document
from bot.settings import ChatSettings
from knowledge.embedding import open_embedder
from knowledge.errors import ChatbotError, QuestionError, SettingsError
from knowledge.generation import GenerationStore
from knowledge.settings import IndexSettings, log_to_stderr, silence_libraries


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code of the contract."""
    silence_libraries()
    options = _parser().parse_args(arguments)
    log_to_stderr(logging.DEBUG if options.debug else logging.WARNING)
    try:
        if options.command == "recheck":
            return _recheck(IndexSettings.from_env(data=options.data), options)
        chat = ChatSettings.from_env(
            model=options.model,
            verifier=options.verifier,
            host=getattr(options, "host", None),
            port=getattr(options, "port", None),
        )
        index = IndexSettings.from_env(data=options.data)
        if options.command == "check":
            embedder = open_embedder(index.embedder, index.models_folder)
            return _batch(options.batch, lambda lines: checks(open_verifier(chat, embedder.embed), lines))
        if options.command == "chat":
            # Trap: gradio takes seconds to import, which a question on the command line should not pay for.
            from bot.ui.page import serve

            return serve(assemble(chat, index), chat)
        if options.command in FACULTY:
            return FACULTY[options.command](index, options)
        return _ask(chat, index, options)
    except ChatbotError as error:
        if options.debug:
            raise
        print(error, file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone; there is nobody to tell
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--data", type=Path, help="folder of index, added documents and feedback (UPSTANDER_DATA)")
    shared.add_argument("--model", help="'extractive' or a chat model as provider:name (UPSTANDER_MODEL)")
    shared.add_argument(
        "--verifier", help="'built-in', cross-encoder:FOLDER or chat:provider:name (UPSTANDER_VERIFIER)"
    )
    shared.add_argument("--debug", action="store_true", help="log every step and show tracebacks")
    parser = argparse.ArgumentParser(prog="python -m bot", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    ask = commands.add_parser("ask", parents=[shared], help="answer one question, or a file of them")
    ask.add_argument("question", nargs="?", help="the question, in quotes")
    ask.add_argument(
        "--batch", metavar="FILE", help='JSON lines with "id", "question" and perhaps "history"; - reads them in'
    )
    ask.add_argument("--json", action="store_true", help="print JSON on standard output and nothing else there")
    check = commands.add_parser("check", parents=[shared], help="check a file of claims, as answers are checked")
    check.add_argument(
        "--batch", metavar="FILE", required=True, help='JSON lines with "id", "claim" and "passages"; - reads them in'
    )
    check.add_argument("--json", action="store_true", help="print JSON lines, which this command always does")
    _add_recommend(commands.add_parser("recommend", parents=[shared], help="find curriculum resources for a need"))
    plan = commands.add_parser("plan", parents=[shared], help="build a one-page advocacy plan")
    plan.add_argument("goal", help="what you want to change, in quotes")
    for field in ("role", "school", "allies", "risks", "time"):
        plan.add_argument(f"--{field}", default="", help=f"your {field}, in your own words")
    _add_output(plan, "md")
    review = commands.add_parser("review", parents=[shared], help="question slides or an outline; nothing is kept")
    review.add_argument("file", type=Path, help="md, txt, pptx, docx or pdf")
    review.add_argument("--json", action="store_true", help="print JSON on standard output and nothing else there")
    _add_output(review, "md")
    exporting = commands.add_parser("export", parents=[shared], help="write resources as a reading list or references")
    exporting.add_argument("record", nargs="+", help="ids of records")
    exporting.add_argument("--as", dest="layout", choices=("list", "syllabus", "comparison"), default="list")
    _add_output(exporting, "md")
    chat = commands.add_parser("chat", parents=[shared], help="open the chat page")
    chat.add_argument("--host", help="address to listen on (UPSTANDER_HOST)")
    chat.add_argument("--port", type=int, help="port to listen on (UPSTANDER_PORT)")
    again = commands.add_parser("recheck", parents=[shared], help="does a saved or exported answer still stand?")
    again.add_argument("file", type=Path, metavar="FILE", help="a reply's JSON, JSON lines, or a text with a receipt")
    again.add_argument("--json", action="store_true", help="print JSON on standard output and nothing else there")
    return parser


def _add_recommend(recommend: argparse.ArgumentParser) -> None:
    recommend.add_argument("need", help="the need in your own words, in quotes; an option below wins over it")
    recommend.add_argument("--audience", action="append", default=[], help="who is to be taught; may be repeated")
    recommend.add_argument("--max-minutes", type=int, help="longest session")
    recommend.add_argument("--min-minutes", type=int, help="shortest session")
    recommend.add_argument("--topic", action="append", default=[], help="topic of the knowledge; may be repeated")
    recommend.add_argument(
        "--format", help="in person, online, self-paced, simulation, workshop, lecture or case-based"
    )
    recommend.add_argument("--country", help="country that the resource comes from")
    recommend.add_argument("--kind", action="append", default=[], help="kind of resource; may be repeated")
    recommend.add_argument("--evaluated", action="store_true", default=None, help="only what was evaluated")
    recommend.add_argument("--open-access", action="store_true", default=None, help="only what is openly readable")
    recommend.add_argument("-k", type=int, default=RESULTS, help=f"how many resources at most ({RESULTS})")
    recommend.add_argument("--json", action="store_true", help="print JSON on standard output and nothing else there")


def _add_output(command: argparse.ArgumentParser, default: str) -> None:
    command.add_argument("--to", default=default, choices=FORMATS, help=f"format ({default})")
    command.add_argument("--style", default="vancouver", choices=STYLES, help="citation style (vancouver)")
    command.add_argument("--out", type=Path, help="file to write; without it, text goes to standard output")


def _write(document: Document, options: argparse.Namespace) -> int:
    content = export(document, options.to, options.style)
    if options.out is None:
        if options.to in ("docx", "pdf"):
            raise SettingsError(f"Name a file for {options.to}: --out FILE.{options.to}")
        print(content.decode("utf-8-sig"), end="")
        return 0
    try:
        options.out.write_bytes(content)
    except OSError as error:
        raise SettingsError(f"{options.out} cannot be written ({error.strerror}). Name another file.") from error
    print(f"Wrote {options.out}.", file=sys.stderr)
    return 0


def _plan(index: IndexSettings, options: argparse.Namespace) -> int:
    situation = Situation(options.goal, options.role, options.school, options.allies, options.risks, options.time)
    return _write(assemble_planner(index).plan(situation), options)


def _review(index: IndexSettings, options: argparse.Namespace) -> int:
    try:
        content = options.file.read_bytes()
    except OSError as error:
        raise SettingsError(f"The file {options.file} cannot be read ({error.strerror}).") from error
    library, _ = open_library(index)
    records = {record.id: record for record in library.get().records}
    found = review(read_apart(options.file.name, content), records)
    if options.json:
        print(json.dumps(review_json(found), ensure_ascii=False))
        return 0
    return _write(review_document(found, records), options)


def _export(index: IndexSettings, options: argparse.Namespace) -> int:
    library, _ = open_library(index)
    known = {record.id: record for record in library.get().records}
    if missing := [name for name in options.record if name not in known]:
        raise SettingsError(f"There is no record {missing[0]!r}. Use ids that recommend --json prints as record_id.")
    records = [known[name] for name in dict.fromkeys(options.record)]
    if options.layout == "comparison":
        print(comparison_markdown(records), end="")
        return 0
    if options.layout == "syllabus" and len(records) != 1:
        raise SettingsError("A syllabus entry is made of one record; name one id.")
    return _write(syllabus_entry(records[0]) if options.layout == "syllabus" else reading_list(records), options)


def _recommend(index: IndexSettings, options: argparse.Namespace) -> int:
    if not 1 <= options.k <= 50:
        raise SettingsError(f"-k is {options.k}; give a number from 1 to 50.")
    text = check_question(options.need, LONGEST_NEED)
    need = with_options(
        read_need(text),
        audience=options.audience,
        max_minutes=options.max_minutes,
        min_minutes=options.min_minutes,
        topics=options.topic,
        format=options.format,
        country=options.country,
        kind=options.kind,
        evaluated=options.evaluated,
        open_access=options.open_access,
    )
    found = assemble_recommender(index).recommend(need, options.k)
    if options.json:
        print(json.dumps(recommendation_json(found), ensure_ascii=False))
    else:
        print(recommendation_markdown(found), end="")
    return 0


FACULTY = {"recommend": _recommend, "plan": _plan, "review": _review, "export": _export}


def _ask(chat: ChatSettings, index: IndexSettings, options: argparse.Namespace) -> int:
    if (options.question is None) == (options.batch is None):
        raise SettingsError('Give one question in quotes, or --batch FILE: python -m bot ask "How do I …?"')
    if options.batch is not None:
        return _batch(options.batch, lambda lines: answers(_open(chat, index), lines))
    reply = _open(chat, index).reply(options.question)
    print(
        json.dumps(reply_json(reply), ensure_ascii=False) if options.json else markdown(reply),
        end="\n" if options.json else "",
    )
    return 2 if reply.outcome is Outcome.CLARIFY else 0


def _recheck(settings: IndexSettings, options: argparse.Namespace) -> int:
    """Exit code 0 when every citation still stands, else 1."""
    generation, found = recheck_file(options.file, GenerationStore(settings.index_folder))
    if options.json:
        citations = [{**asdict(item.cited), "standing": str(item.standing), "reason": item.reason} for item in found]
        print(json.dumps({"generation": generation, "citations": citations}, ensure_ascii=False))
    else:
        for item in found:
            print(f"{item.standing:10} {item.cited.record_id} — {item.reason}")
    return 0 if all(item.standing is Standing.UNCHANGED for item in found) else 1


def _open(chat: ChatSettings, index: IndexSettings) -> Engine:
    """An engine; says on standard error whom words will go to, if they leave the machine."""
    engine = assemble(chat, index)
    if places := destinations(chat):
        print(f"Questions and the passages found for them go to {' and '.join(places)}.", file=sys.stderr)
    return engine


def answers(engine: Engine, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """A reply object, or an error object, for each line that is not blank, in order."""

    def answer(line: str) -> dict[str, Any]:
        _, question, history = read_batch_line(line)
        return reply_json(engine.reply(question, history))

    return _objects(answer, lines)


def checks(verifier: Verifier, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """A verdict object, or an error object, for each line that is not blank, in order."""

    def check(line: str) -> dict[str, Any]:
        _, claim, passages = read_check_line(line)
        return check_json(verifier.check(claim, passages))

    return _objects(check, lines)


def _objects(read: Callable[[str], dict[str, Any]], lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.strip():
            try:
                yield {"id": batch_id(line), **read(line)}
            except QuestionError as error:
                yield {"id": batch_id(line), "error": str(error)}


def _batch(file: str, start: Callable[[TextIO], Iterator[dict[str, Any]]]) -> int:
    """Print an object for each line; what answers is only set up once the file is open."""
    with _lines(file) as lines:
        for value in start(lines):
            print(json.dumps(value, ensure_ascii=False), flush=True)
    return 0


def _lines(file: str) -> TextIO:
    if file == "-":
        return sys.stdin
    try:
        # Bytes that are no UTF-8 become visible question marks, so that one bad line spoils no other.
        return Path(file).open(encoding="utf-8", errors="replace")
    except OSError as error:
        raise SettingsError(f"The file {file} cannot be read ({error.strerror}). Name a file of JSON lines.") from error


if __name__ == "__main__":
    sys.exit(main())
