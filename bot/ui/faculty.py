"""The tabs beside the chat: find a resource, plan, review a deck. Widgets and events; nothing typed or uploaded is kept.

Files come and go without touching a disk of ours, but for an upload, which gradio writes down: it is deleted as it is read.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import gradio as gr

from bot.cards import NAMES
from bot.citing import STYLES
from bot.contract import need_json, recommendation_json
from bot.decks import FORMATS as DECKS
from bot.decks import read_apart
from bot.document import Document
from bot.engine import Engine
from bot.export import export, reading_list, syllabus_entry
from bot.needs import LONGEST_NEED, Format, Need, read_need, with_options
from bot.plan import LONGEST_FIELD, Planner, Situation, editable, read_edited
from bot.questions import check_question
from bot.recommender import RESULTS, Recommender, asked
from bot.review import LONGEST_TEXT, ReviewError, read_slides, review, review_document
from bot.ui import resources
from bot.ui.conversation import UNEXPECTED, log_unexpected
from bot.ui.server import MOST_UPLOAD_BYTES
from knowledge.errors import ChatbotError, QuestionError, SettingsError
from knowledge.record import Audience, Kind, Record, Topic

FILES = {
    "Word (DOCX)": "docx",
    "PDF": "pdf",
    "Markdown": "md",
    "BibTeX": "bib",
    "RIS": "ris",
    "CSL-JSON": "json",
    "CSV": "csv",
}
LAYOUTS = ("Reading list", "Syllabus entry")
STAYS = "What you type or upload here stays on this machine and goes with the page; an uploaded file is deleted as it is read."
# Trap: a browser's spelling service may send what is typed elsewhere.
UNSENT = gr.InputHTMLAttributes(autocomplete="off", autocorrect="off", spellcheck=False)
AT_WORK = 2  # events of these tabs at once
SESSION_SECONDS = 30 * 60

Shown = dict[Any, Any]
Show = Callable[..., Shown]


# --- what was understood, and what the person chose instead ----------------------------------------------------------


@dataclass(frozen=True)
class Reading:
    """What the form last showed: the text behind it, the values shown, and those that the person had chosen."""

    text: str = ""
    shown: Mapping[str, Any] = field(default_factory=lambda: form_of(Need()))
    chosen: Mapping[str, Any] = field(default_factory=dict)


def form_of(need: Need) -> dict[str, Any]:
    """A need as the values of the form, by the names of its constraints, with `hard` for those that must hold."""
    return {
        **need_json(need),
        "country": need.country or "",
        "evaluated": bool(need.evaluated),
        "open_access": bool(need.open_access),
    }


def understood(text: str, form: Mapping[str, Any], last: Reading) -> tuple[Need, Reading]:
    """The need in a text, with whatever the person has changed in the form since it was last filled.

    A change holds until the text is another. Raises SettingsError or QuestionError.
    """
    text = check_question(text, LONGEST_NEED) if text.strip() else ""
    changed = {name: value for name, value in form.items() if value != last.shown[name]}
    kept = last.chosen if text == last.text else {}
    chosen = {**kept, **changed}
    given = {name: value or None for name, value in chosen.items() if name != "hard"}
    need = with_options(read_need(text), **{name: value for name, value in given.items() if value is not None})
    emptied: dict[str, Any] = {name: () if name in MANY else None for name, value in given.items() if value is None}
    need = replace(need, **emptied)
    hard = need.hard
    if "hard" in chosen:
        # What is newly chosen must hold, unless the same change says otherwise.
        newly = set() if "hard" in changed else set(changed)
        chosen["hard"] = [name for name in NAMES if name in {*chosen["hard"], *newly}]
        hard = frozenset(chosen["hard"])
    need = replace(need, hard=hard & frozenset(asked(need)))
    if not text and not asked(need):
        raise QuestionError("Say what you need, or choose at least one option.", "empty")
    return need, Reading(text, form_of(need), chosen)


MANY = ("audience", "topics", "kind")


# --- events ----------------------------------------------------------------------------------------------------------


def calmly(say: gr.HTML, work: Show) -> Show:
    """`work`, with a sentence in the place of its result when it cannot be done."""

    def shown(*given: Any) -> Shown:
        try:
            return work(*given)
        except ChatbotError as error:
            return {say: resources.told(str(error))}
        except Exception as error:
            log_unexpected(error)
            return {say: resources.told(UNEXPECTED)}

    return shown


def on(event: Callable[..., Any], work: Show, given: Sequence[Any], shown: Iterable[Any], say: gr.HTML) -> None:
    """Run `work` at an event, quietly, and for people only."""
    event(
        calmly(say, work), list(given), list(shown),
        api_visibility="private", show_progress="hidden", concurrency_limit=AT_WORK, concurrency_id="faculty",
    )  # fmt: skip


def _html(value: str = "", name: str | None = None) -> gr.HTML:
    return gr.HTML(value, elem_id=name, apply_default_css=False, js_on_load=None)


def _words(label: str, name: str, lines: int = 1, most: int = LONGEST_FIELD, **more: Any) -> gr.Textbox:
    # Trap: what was never shown, as in a closed accordion, would come back as None.
    return gr.Textbox(
        "", label=label, elem_id=name, lines=lines, max_lines=max(lines, 12), max_length=most, html_attributes=UNSENT, **more
    )  # fmt: skip


def _intro(text: str) -> None:
    _html(f'<p class="intro">{text}</p><p class="small">{STAYS}</p>')


def _downloads(name: str, make: Callable[..., Document], given: Sequence[Any], layouts: bool = False) -> None:
    """Choices of a file and a button for it. `make` gets `given` and, with `layouts`, the layout; it may raise ChatbotError."""
    with gr.Row(elem_classes="choices"):
        what = [gr.Dropdown(LAYOUTS, value=LAYOUTS[0], label="As", filterable=False)] if layouts else []
        kind = gr.Dropdown(list(FILES), value=next(iter(FILES)), label="File", filterable=False)
        style = gr.Dropdown(
            [(style.capitalize() if style != "apa" else "APA", style) for style in STYLES],
            value=STYLES[0], label="Citations", filterable=False,
        )  # fmt: skip
    with gr.Row(elem_classes="actions"):
        save = gr.Button("Download", elem_id=f"{name}-save")
        gr.Button("Print", elem_id=f"{name}-print").click(None, js="() => window.print()", api_visibility="private")
    saved = _html()

    def work(kind: str, style: str, *rest: Any) -> Shown:
        ending = FILES[kind]
        made = make(*rest)
        return {saved: resources.file(f"{_slug(made.title)}.{ending}", export(made, ending, style))}

    on(save.click, work, [kind, style, *given, *what], [saved], saved)


def _slug(text: str) -> str:
    """A file's name from a title.

    >>> _slug("Plan: Skin of colour / in *lectures*")
    'plan-skin-of-colour-in-lectures'
    """
    plain = "".join(c if c.isascii() and c.isalnum() else " " for c in text.lower())
    return "-".join(plain.split())[:60].strip("-") or "document"


class Knowledge:
    """What the tabs ask of an engine, looked up at each event, since the index may have changed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def recommender(self) -> Recommender:
        """What finds resources in the index of the moment."""
        return Recommender(self._engine.library, self._engine.retriever)

    @property
    def planner(self) -> Planner:
        """What builds plans from the index of the moment."""
        return Planner(self._engine.library, self._engine.retriever)

    def records(self) -> dict[str, Record]:
        """All records of the moment by id."""
        return {record.id: record for record in self._engine.library.get().records}

    def named(self, ids: Sequence[str]) -> list[Record]:
        """The records of these ids. Raises SettingsError when one is gone."""
        known = self.records()
        if any(name not in known for name in ids):
            raise SettingsError("The knowledge has changed since; search again.")
        return [known[name] for name in ids]


# --- the tabs --------------------------------------------------------------------------------------------------------


def find_tab(knowledge: Knowledge) -> None:
    """A need in words and options, what was understood, resources that fit, side by side, and files of them."""
    last = gr.State(Reading(), time_to_live=SESSION_SECONDS)
    _intro(
        "Say who is to learn, how long you have, and what about. I list resources that keep what must hold, "
        "and say what comes close."
    )
    need = _words(
        "What do you need?", "need", 3, LONGEST_NEED,
        placeholder="For example: 60 minutes, residents, no budget, how to respond to racist remarks by patients",
    )  # fmt: skip
    with gr.Accordion("What I understood, to choose or correct", open=False, elem_id="options") as options:
        with gr.Row(elem_classes="choices"):
            audience = gr.Dropdown(list(get_args(Audience)), multiselect=True, label="Learners")
            topics = gr.Dropdown(list(get_args(Topic)), multiselect=True, label="Topics")
            kind = gr.Dropdown(list(get_args(Kind)), multiselect=True, label="Kinds of resource")
        with gr.Row(elem_classes="choices"):
            max_minutes = gr.Number(None, label="Longest session, minutes", precision=0, minimum=1)
            min_minutes = gr.Number(None, label="Shortest session, minutes", precision=0, minimum=1)
            format = gr.Dropdown([("any", ""), *get_args(Format)], value="", label="Format", filterable=False)
            country = _words("Country", "country", most=100)
        with gr.Row(elem_classes="choices"):
            evaluated = gr.Checkbox(label="Evaluated", container=False)
            open_access = gr.Checkbox(label="Open access", container=False)
        hard = gr.CheckboxGroup(
            [(name.capitalize(), value) for value, name in NAMES.items()], label="Must hold (the rest are wishes)"
        )
    fields = {
        "audience": audience, "max_minutes": max_minutes, "min_minutes": min_minutes, "topics": topics, "format": format,
        "country": country, "kind": kind, "evaluated": evaluated, "open_access": open_access, "hard": hard,
    }  # fmt: skip
    with gr.Row(elem_classes="actions"):
        find = gr.Button("Find resources", elem_id="find", variant="primary")
        again = gr.Button("Start over", elem_id="find-clear")
    list_of = _html(name="list")
    with gr.Column(visible=False, elem_id="take") as take:
        picked = gr.CheckboxGroup([], label="Selected, to compare or to take away", elem_id="picked")
        with gr.Row(elem_classes="actions"):
            compare = gr.Button("Compare side by side", elem_id="compare")
        side = _html(name="side")
        _downloads("list", lambda ids, layout: take_away(knowledge.named(ids), layout), [picked], layouts=True)

    def search(text: str, reading: Reading, *values: Any) -> Shown:
        form = {name: value or None if name == "format" else value for name, value in zip(fields, values, strict=True)}
        wanted, now = understood(text, form, reading)
        found = knowledge.recommender.recommend(wanted)
        fit = [r.record for r in found.results]
        choices = [(f"{number}. {record.source.title}", record.id) for number, record in enumerate(fit, 1)]
        choices += [(f"Near miss: {miss.record.source.title}", miss.record.id) for miss in found.near_misses]
        return {
            last: now,
            list_of: resources.recommendation(found),
            **_filled(fields, now.shown),
            options: gr.update(open=True),
            take: gr.update(visible=bool(choices)),
            picked: gr.update(choices=choices, value=[record.id for record in fit]),
            side: "",
        }

    def start_over() -> Shown:
        fresh = Reading()
        return {
            last: fresh, need: "", list_of: "", side: "", **_filled(fields, fresh.shown), options: gr.update(open=False),
            take: gr.update(visible=False), picked: gr.update(choices=[], value=[]),
        }  # fmt: skip

    shown = [last, list_of, *fields.values(), options, take, picked, side]
    for event in (find.click, need.submit):
        on(event, search, [need, last, *fields.values()], shown, list_of)
    on(again.click, start_over, [], [*shown, need], list_of)
    on(compare.click, lambda ids: {side: resources.compared(knowledge.named(ids))}, [picked], [side], side)


def _filled(fields: Mapping[str, Any], shown: Mapping[str, Any]) -> Shown:
    return {
        widget: gr.update(value=shown[name] if name != "format" else shown[name] or "")
        for name, widget in fields.items()
    }


def take_away(records: Sequence[Record], layout: str) -> Document:
    """What was selected as a reading list, or one of it as a syllabus entry. Raises SettingsError."""
    if not records:
        raise SettingsError("Select at least one resource above.")
    if layout == LAYOUTS[0]:
        return reading_list(records)
    if len(records) > 1:
        raise SettingsError("A syllabus entry is made of one resource; select one only.")
    return syllabus_entry(records[0])


def plan_tab(knowledge: Knowledge) -> None:
    """A goal and a situation to a one-page plan, which the person edits before it is saved."""
    sources = gr.State((), time_to_live=SESSION_SECONDS)
    _intro(
        "A one-page plan for your committee. Each line is a cited statement or your own words; what you change becomes your own."
    )
    goal = _words(
        "What do you want to change?", "goal", 2, placeholder="For example: add skin of colour to our lectures"
    )
    with gr.Accordion("Your situation (optional)", open=False, elem_id="situation"), gr.Row(elem_classes="choices"):
        about = [
            _words("Who you are", "role", placeholder="two second-year students"),
            _words("School", "school"),
            _words("Allies", "allies", placeholder="our course director"),
            _words("Risks you see", "risks"),
            _words("Time you have", "time", placeholder="until the May meeting"),
        ]
    with gr.Row(elem_classes="actions"):
        build = gr.Button("Build the plan", elem_id="plan", variant="primary")
    say = _html()
    with gr.Column(visible=False, elem_id="planned") as planned:
        text = _words("Edit it here. A line that you change is marked as your own words.", "draft", 16, 40_000)
        with gr.Row(elem_classes="actions"):
            update = gr.Button("Show my changes", elem_id="plan-update")
        sheet = _html(name="plan-sheet")
        _downloads("plan", lambda text, ids: read_edited(text, knowledge.named(ids)), [text, sources])

    def make(*said: str) -> Shown:
        made = knowledge.planner.plan(Situation(*said))
        return {
            say: "",
            text: editable(made),
            sources: tuple(record.id for record in made.sources),
            sheet: resources.document(made, "plan-line", "your words"),
            planned: gr.update(visible=True),
        }

    def show(edited: str, ids: Sequence[str]) -> Shown:
        return {sheet: resources.document(read_edited(edited, knowledge.named(ids)), "plan-line", "your words")}

    for event in (build.click, goal.submit):
        on(event, make, [goal, *about], [say, text, sources, sheet, planned], say)
    on(update.click, show, [text, sources], [sheet], sheet)
    on(text.blur, show, [text, sources], [sheet], sheet)


def review_tab(knowledge: Knowledge, page: gr.Blocks) -> None:
    """A deck or an outline to the lines that the checklists question, with reasons, and what is not covered."""
    reviewed = gr.State(None, time_to_live=SESSION_SECONDS)
    _intro(
        "Give me slides or an outline. I point at lines that checklists in the knowledge would question, with the reason, "
        "and at what is not covered. I suggest and do not judge: known patterns only."
    )
    with gr.Row(elem_classes="actions"):
        upload = gr.UploadButton("Choose a file", file_types=list(DECKS), elem_id="upload")
        _html(f'<p class="small">{", ".join(DECKS)}; up to {MOST_UPLOAD_BYTES // 1_000_000} MB</p>')
    text = _words("Or paste the words of your slides or outline", "outline", 6, 50_000)
    with gr.Row(elem_classes="actions"):
        start = gr.Button("Review the text", elem_id="review", variant="primary")
    say = _html()
    sheet = _html(name="review-sheet")
    with gr.Column(visible=False, elem_id="reviewed") as files:
        _downloads("review", _reviewed, [reviewed])

    def show(slides: Any) -> Shown:
        records = knowledge.records()
        made = review_document(review(slides, records), records)
        return {
            say: "",
            sheet: resources.document(made, "review-line", "from your text"),
            reviewed: made,
            files: gr.update(visible=True),
        }

    def read_upload(sent: Mapping[str, Any] | None) -> Shown:
        name, content = taken(page, sent)
        return {**show(read_apart(name, content)), upload: None}

    shown = [say, sheet, reviewed, files]
    on(start.click, lambda words: show(read_slides(words[:LONGEST_TEXT])), [text], shown, say)
    upload.upload(
        calmly(say, read_upload), [upload], [*shown, upload], preprocess=False,
        api_visibility="private", show_progress="hidden", concurrency_limit=AT_WORK, concurrency_id="faculty",
    )  # fmt: skip


def _reviewed(made: Document | None) -> Document:
    if made is None:
        raise ReviewError("Review a text first.")
    return made


def taken(page: gr.Blocks, sent: Any) -> tuple[str, bytes]:
    """Name and bytes of an upload, which is deleted here. Raises ReviewError if it is none of this page's uploads."""
    sent = sent if isinstance(sent, Mapping) else sent.model_dump() if sent else {}
    path = str(sent.get("path", ""))
    # Trap: the path comes from the browser, and any path could be in its place.
    if path not in page.upload_file_set:
        raise ReviewError("The file did not arrive; choose it again.")
    try:
        return str(sent.get("orig_name") or path), Path(path).read_bytes()
    except OSError as error:
        raise ReviewError("The file did not arrive; choose it again.") from error
    finally:
        page.upload_file_set.discard(path)
        Path(path).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            Path(path).parent.rmdir()


def recommend_api(knowledge: Knowledge) -> Callable[..., dict[str, Any]]:
    """The function that programs call as `/recommend`."""

    def recommend(
        need: str,
        audience: list[str] = [],  # noqa: B006 - gradio reads the default from the signature; it is never changed
        max_minutes: int | None = None,
        min_minutes: int | None = None,
        topics: list[str] = [],  # noqa: B006
        format: str | None = None,
        country: str | None = None,
        kind: list[str] = [],  # noqa: B006
        evaluated: bool | None = None,
        open_access: bool | None = None,
        most: int = RESULTS,
    ) -> dict[str, Any]:
        """Find curriculum resources for a need in words; an option wins over the words and must hold.

        Returns the recommendation object of the command line's --json. Nothing is stored.
        """
        try:
            if not 1 <= most <= 50:
                raise SettingsError(f"most is {most}; give a number from 1 to 50.")
            wanted = with_options(
                read_need(check_question(need, LONGEST_NEED)), audience=audience, max_minutes=max_minutes,
                min_minutes=min_minutes, topics=topics, format=format, country=country, kind=kind, evaluated=evaluated,
                open_access=open_access,
            )  # fmt: skip
            return recommendation_json(knowledge.recommender.recommend(wanted, most))
        except ChatbotError as error:
            raise gr.Error(str(error), print_exception=False) from error
        except Exception as error:
            log_unexpected(error)
            raise gr.Error(UNEXPECTED, print_exception=False) from None

    return recommend
