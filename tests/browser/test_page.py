"""The page in a real browser, served as people start it, with the index of the real records."""

import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import docx
import pptx
import pytest
import uvicorn
from gradio import Blocks
from gradio_client import Client
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from starlette.routing import Mount

from bot.reply import Citation, Event, Outcome, Reply, ShownClaim, Source, Stage, Turn
from bot.settings import ChatSettings
from bot.ui import conversation, welcome
from bot.ui.page import TITLE, build_app
from knowledge.passage import passages_of
from knowledge.record import Facet, Record, read_record
from knowledge.settings import IndexSettings
from tests.fakes import record

pytestmark = pytest.mark.real

SECRET = "zebra quokka narwhal"
QUESTION = f"How do students audit lectures for racial bias? {SECRET}"
NEED = f"60 minutes, residents, how to respond to racist remarks by patients {SECRET}"
SWITCHES = """--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync""".split()

# Every visible text whose colour has less contrast to what it stands on than WCAG 2.2 asks for (1.4.3).
FAINT = """() => {
  const luminance = colour => colour.slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const ground = e => {
    for (; e; e = e.parentElement) {
      const colour = numbers(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim(), e = walker.currentNode.parentElement;
    if (!text || !e.checkVisibility() || e.closest('script, style, .unseen, .sr-only')) continue;
    const [a, b] = [luminance(numbers(getComputedStyle(e).color)), luminance(ground(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.push([ratio.toFixed(2), text.slice(0, 40)]);
  }
  return faint;
}"""


@pytest.fixture(scope="session")
def chromium() -> str:
    found = shutil.which("chromium")
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("chromium is missing: apt-get install chromium")
    return found


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the served page puts whatever it writes for the time being."""
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(scope="module")
def served(built_data: Path, scratch: Path) -> Iterator[str]:
    """The address of a running page. At the end it stops when told to, having had nothing to complain about."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "chat", "--data", str(built_data), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(scratch)},
    )
    assert process.stdout
    yield next(word for word in process.stdout.readline().split() if word.startswith("http://"))
    process.send_signal(signal.SIGTERM)
    rest = process.communicate(timeout=20)
    assert rest == ("", "")
    assert process.returncode == 0, "a stop that was asked for is no fault"


class StagedEngine:
    """Yields the events that a test has laid out; after them it waits to be released."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.released = threading.Event()

    def stream(self, question: str, history: Sequence[Turn] = ()) -> Iterator[Event]:
        yield from self.events
        self.released.wait(timeout=20)


Staged = tuple[str, StagedEngine, Blocks]


@pytest.fixture(scope="module")
def staged() -> Iterator[Staged]:
    """The address of a page whose engine says what a test tells it to, with that engine and the page itself."""
    engine = StagedEngine()
    app = build_app(engine, ChatSettings())  # type: ignore[arg-type]
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        blocks = next(route.app for route in app.routes if isinstance(route, Mount)).get_blocks()  # type: ignore[attr-defined]
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", engine, blocks
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, served: str) -> Iterator[Page]:
    """The page in a fresh window. At the end: nothing came from another origin, and no question stayed in the browser."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    requested: list[str] = []
    broken: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.goto(served)
    box(page).wait_for()
    yield page
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert SECRET not in kept
    assert "race" not in kept
    assert {urlsplit(url).netloc for url in requested if not url.startswith(("data:", "blob:"))} <= {
        urlsplit(served).netloc
    }
    assert broken == []
    context.close()


@pytest.fixture(scope="module")
def records() -> dict[str, Record]:
    return {path.stem: read_record(path) for path in IndexSettings.from_env({}).records.glob("*.md")}


def box(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Your question")


def ask(page: Page, question: str = QUESTION) -> Locator:
    """Type a question, press Enter, and wait for the whole answer."""
    box(page).fill(question)
    box(page).press("Enter")
    return answered(page, question)


def answered(page: Page, question: str) -> Locator:
    exchange = page.locator(".exchange").last
    expect(exchange.locator(".question")).to_have_text(f"You asked: {question}")
    exchange.locator("button.marker").first.wait_for()
    return exchange


def test_each_citation_opens_its_passage_to_the_letter_with_its_record(page: Page, records: dict[str, Record]) -> None:
    exchange = ask(page)
    markers = exchange.locator("button.marker")
    assert markers.count() >= 3
    for place in range(markers.count()):
        marker = markers.nth(place)
        marker.click()
        sheet = page.locator(f"#{marker.get_attribute('popovertarget')}")
        expect(sheet).to_be_visible()
        record = records[sheet.get_attribute("data-record-id") or ""]
        passages = {passage.id: passage.text for passage in passages_of(record)}
        quote = sheet.locator("blockquote.passage")
        assert quote.text_content() == passages[quote.get_attribute("data-passage-id") or ""]
        assert marker.get_attribute("aria-label") == f"Source {marker.inner_text()}: {record.source.title}"
        assert sheet.locator("li.cited").all_text_contents() == [quote.text_content()]
        assert sorted(sheet.locator(".body ul li").all_text_contents()) == sorted(passages.values())
        sheet.get_by_role("button", name="Close").click()
        expect(sheet).to_be_hidden()


def test_an_earlier_answer_stays_with_its_citations_and_one_opens_while_the_next_is_asked(page: Page) -> None:
    ask(page)
    first = page.locator(".exchange").first
    ask(page, "How do students start a petition to their dean?")
    first.locator("button.marker").first.click()
    expect(first.locator("blockquote.passage").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(first.locator("blockquote.passage").first).to_be_hidden()


def test_the_list_of_sources_belongs_to_the_last_answer(page: Page) -> None:
    exchange = ask(page)
    numbers = {marker.inner_text() for marker in exchange.locator("button.marker").all()}
    listed = page.locator("#sources li")
    assert {entry.get_attribute("value") for entry in listed.all()} == numbers


@pytest.mark.parametrize("question", [*welcome.LEARNER_EXAMPLES, *welcome.FACULTY_EXAMPLES])
def test_an_example_is_asked_when_it_is_pressed_and_has_an_answer(page: Page, question: str) -> None:
    page.get_by_role("button", name=question).click()
    answered(page, question)
    expect(page.locator("#examples")).to_be_hidden()


def test_a_follow_up_is_asked_when_it_is_pressed(page: Page) -> None:
    ask(page)
    follow_up = page.locator("#next .question-button:visible").first
    question = follow_up.inner_text()
    follow_up.click()
    answered(page, question)
    assert page.locator(".exchange").count() == 2


def test_everything_can_be_done_with_the_keyboard_alone(page: Page) -> None:
    def focused() -> str:
        return str(
            page.evaluate("(e => e.matches('body') ? '' : `${e.className} ${e.innerText}`)(document.activeElement)")
        )

    def tab_to(wanted: str) -> None:
        for _ in range(40):
            if wanted in focused():
                return
            page.keyboard.press("Tab")
        pytest.fail(f"no way to {wanted} by keyboard")

    tab_to(welcome.LEARNER_EXAMPLES[0])
    page.keyboard.press("Enter")
    answered(page, welcome.LEARNER_EXAMPLES[0])
    assert "question" in focused(), "the button that was pressed is gone, so the focus moves to the question"
    tab_to("marker")
    page.keyboard.press("Enter")
    expect(page.locator("blockquote.passage").first).to_be_visible()
    assert "Close" in focused()
    page.keyboard.press("Escape")
    expect(page.locator("blockquote.passage").first).to_be_hidden()
    assert "marker" in focused(), "and comes back"
    tab_to("question-button")
    page.keyboard.press("Enter")
    expect(page.locator(".exchange")).to_have_count(2)


def test_what_can_be_pressed_is_large_enough_and_every_button_has_a_name(page: Page) -> None:
    ask(page)
    page.locator("button.marker").first.click()
    small = page.evaluate(
        """() => [...document.querySelectorAll('button, a, summary, textarea')]
            .filter(e => e.checkVisibility() && !e.matches('.marker') && e.getBoundingClientRect().height < 44)
            .map(e => e.outerHTML.slice(0, 120))"""
    )
    assert small == []
    nameless = "[...document.querySelectorAll('button')].filter(e => e.checkVisibility() && !e.innerText.trim()).length"
    assert page.evaluate(nameless) == 0


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_does_not_scroll_sideways(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 740})
    sideways = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(sideways) == 0
    ask(page, f"{QUESTION} {'x' * 200}")
    assert page.evaluate(sideways) == 0
    page.locator("button.marker").first.click()
    sheet = page.locator(".sheet:popover-open")
    assert sheet.evaluate("e => e.scrollWidth - e.clientWidth") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.reload()
    ask(page)
    page.locator("button.marker").first.click()
    assert page.evaluate(FAINT) == []


def test_clear_forgets_the_conversation_on_the_page_and_in_the_program(page: Page) -> None:
    ask(page)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".exchange")).to_have_count(0)
    expect(page.locator("#examples")).to_be_visible()
    expect(page.locator("#sources li")).to_have_count(0)
    assert ask(page).get_attribute("id") == "exchange-1"


def test_the_way_out_leaves_nothing_to_go_back_to(page: Page, served: str) -> None:
    ask(page)
    page.get_by_role("link", name="Leave this page quickly").click()
    page.wait_for_url("about:blank")
    page.go_back()
    assert page.url == "about:blank"
    page.goto(served)  # the fixture looks into its storage


def test_a_program_asks_and_gets_the_object_of_the_contract(served: str, records: dict[str, Record]) -> None:
    client = Client(served, verbose=False)
    reply = client.predict("How do students audit lectures for racial bias?", api_name="/ask")
    assert reply["outcome"] == "answer"
    for claim in reply["claims"]:
        for citation in claim["citations"]:
            texts = [statement.text for statement in records[citation["record_id"]].statements]
            assert citation["passage"] in texts
    assert client.view_api(return_format="dict")["named_endpoints"].keys() == {"/ask", "/recommend"}
    client.close()


def test_a_program_finds_resources_and_gets_the_object_of_the_contract(served: str) -> None:
    client = Client(served, verbose=False)
    found = client.predict("bias from patients, residents", max_minutes=60, api_name="/recommend")
    assert found["constraints"]["max_minutes"] == 60
    assert found["results"]
    assert all(result["session_minutes"] <= 60 for result in found["results"])
    with pytest.raises(Exception, match="There is no format 'telepathy'"):
        client.predict("bias from patients, residents", format="telepathy", api_name="/recommend")
    client.close()


def find(page: Page, need: str = NEED) -> Locator:
    """Open the tab, say a need, and wait for the list."""
    page.get_by_role("tab", name="Find a resource").click()
    page.get_by_label("What do you need?").fill(need)
    page.get_by_role("button", name="Find resources").click()
    page.locator("#found .card").first.wait_for()
    page.locator("#picked input:checked").first.wait_for()
    return page.locator("#found")


def test_a_need_is_shown_back_corrected_compared_and_taken_away(page: Page, records: dict[str, Record]) -> None:
    found = find(page)
    expect(found.locator(".read-as")).to_contain_text("residents (must); up to 60 minutes (must)")
    assert found.locator(".breaks").count() >= 1
    marker = found.locator("button.marker").first
    marker.click()
    sheet = page.locator(f"#{marker.get_attribute('popovertarget')}")
    record = records[sheet.get_attribute("data-record-id") or ""]
    assert sheet.locator("blockquote").text_content() in [passage.text for passage in passages_of(record)]
    page.keyboard.press("Escape")
    page.get_by_label("Longest session, minutes").fill("20")
    page.get_by_role("button", name="Find resources").click()
    expect(found.locator(".read-as")).to_contain_text("up to 20 minutes (must)")
    page.get_by_role("button", name="Start over").click()
    expect(page.locator("#found")).to_have_count(0)
    find(page)
    page.get_by_role("button", name="Compare side by side").click()
    chosen = page.locator("#picked input:checked").count()
    expect(page.locator(".scroll thead th")).to_have_count(chosen)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "reading-list.docx"
    assert len(docx.Document(str(download.value.path())).paragraphs) > 10


def test_a_plan_is_edited_and_what_was_changed_is_the_persons_own(page: Page) -> None:
    page.get_by_role("tab", name="Plan").click()
    page.get_by_label("What do you want to change?").fill(f"Show darker skin in lectures {SECRET}")
    page.get_by_role("button", name="Build the plan").click()
    cited = page.locator(".document li:has(button.marker)")
    cited.first.wait_for()
    before = cited.count()
    draft = page.get_by_label("Edit it here")
    lines = draft.input_value().split("\n")
    place = next(n for n, line in enumerate(lines) if line.endswith("[1]"))
    lines[place] = lines[place].replace(" [1]", " surely [1]")
    draft.fill("\n".join(lines))
    page.get_by_role("button", name="Show my changes").click()
    expect(page.locator(".document li.own", has_text="surely")).to_have_count(1)
    expect(cited).to_have_count(before - 1)


@pytest.mark.parametrize("name", ["deck.md", "deck.pptx"])
def test_a_deck_is_reviewed_and_leaves_nothing_behind(page: Page, scratch: Path, name: str) -> None:
    page.get_by_role("tab", name="Review a deck").click()
    page.locator("#upload").wait_for()
    content = f"## Risk factors {SECRET}\n- Being Black is a genetic risk factor\n- Age".encode()
    if name.endswith("pptx"):
        deck = pptx.Presentation()
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = f"Risk factors {SECRET}"
        slide.placeholders[1].text = "Being Black is a genetic risk factor\nAge"
        out = io.BytesIO()
        deck.save(out)
        content = out.getvalue()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a file").click()
    chooser.value.set_files({"name": name, "mimeType": "application/octet-stream", "buffer": content})
    expect(page.locator("#review-sheet li.own")).to_contain_text("Being Black is a genetic risk factor")
    left = [path for path in scratch.rglob("*") if path.is_file()]
    assert [path for path in left if SECRET.encode() in path.read_bytes() or path.name == name] == []
    assert not [path for path in left if path.parent.parent.name == "gradio"]


def test_a_file_that_cannot_be_read_is_told_in_words(page: Page) -> None:
    page.get_by_role("tab", name="Review a deck").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a file").click()
    chooser.value.set_files({"name": "deck.pdf", "mimeType": "application/pdf", "buffer": b"nothing"})
    expect(page.get_by_text("The file is damaged or protected")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_tabs_work_on_a_phone_in_light_and_dark(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": 360, "height": 740})
    page.reload()
    box(page).wait_for()
    find(page)
    page.get_by_role("button", name="Compare side by side").click()
    page.locator(".scroll table").wait_for()
    sideways = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    unnamed = """() => [...document.querySelectorAll('input, textarea, select, button')].filter(e => e.checkVisibility()
        && !e.innerText.trim() && !e.labels?.length && !e.ariaLabel && !e.ariaLabelledByElements?.length && !e.title)
        .map(e => e.outerHTML.slice(0, 160))"""
    for tab in ("Find a resource", "Plan", "Review a deck"):
        page.get_by_role("tab", name=tab).click()
        page.locator(".tabitem:visible .intro").wait_for()
        assert page.evaluate(sideways) == 0, tab
        assert page.evaluate(FAINT) == [], tab
        assert page.evaluate(unnamed) == [], tab


def test_the_tabs_are_reached_and_used_with_the_keyboard(page: Page) -> None:
    page.get_by_role("tab", name="Ask", exact=True).focus()
    for _ in range(4):
        if page.evaluate("document.activeElement.innerText") == "Plan":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_label("What do you want to change?").focus()
    page.keyboard.type("Teach about race and kidney function")
    while page.evaluate("document.activeElement.id") != "plan":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator(".document li button.marker").first.wait_for()


def test_on_paper_there_is_what_was_found_and_nothing_to_press(page: Page) -> None:
    find(page)
    page.emulate_media(media="print")
    expect(page.locator("#found .card").first).to_be_visible()
    assert page.get_by_role("tab").locator("visible=true").count() == 0
    assert page.get_by_role("textbox").locator("visible=true").count() == 0
    assert page.get_by_role("button").locator("visible=true").and_(page.locator(":not(.marker, .pointer)")).count() == 0


def test_a_question_is_written_nowhere(page: Page, served: str, built_data: Path, scratch: Path) -> None:
    ask(page)
    client = Client(served, verbose=False)
    client.predict(QUESTION, api_name="/ask")
    client.close()
    files = [path for path in [*built_data.rglob("*"), *scratch.rglob("*")] if path.is_file()]
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


def test_an_answer_can_be_stopped_and_keeps_what_was_shown(browser: Browser, staged: Staged) -> None:
    address, engine, _ = staged
    engine.released.clear()
    engine.events = [Stage("Looking…"), ShownClaim("A first claim.", Facet.FINDING, 1.0, ())]
    page = browser.new_page()
    page.goto(address)
    box(page).fill("Why?")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_text("A first claim.")).to_be_visible()
    expect(page.locator("[role=status].stage")).to_have_text("Looking…")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text(conversation.STOPPED)).to_be_visible()
    expect(page.get_by_text("A first claim.")).to_be_visible()
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible()
    engine.released.set()
    page.close()


def test_hostile_text_neither_runs_nor_loads_anything(browser: Browser, staged: Staged) -> None:
    address, engine, _ = staged
    engine.released.set()
    hostile = (
        '<img src=x onerror="document.title=1"><script>document.title=1</script> </div></article> {{x}} ${document.title=1}'
        '<meta http-equiv=refresh content="0;url=/x"> ![x](http://127.0.0.1:9/x.png) <style>*{background:url(/x)}</style>'
    )
    item = record("hostile", (Facet.FINDING, hostile), title=hostile, venue=hostile)
    claim = ShownClaim(hostile, Facet.FINDING, 1.0, (Citation(1, passages_of(item)[0]),))
    reply = Reply(
        "q",
        "q",
        Outcome.ANSWER,
        message=hostile,
        claims=(claim,),
        sources=(Source(1, item),),
        nearest=(item,),
        follow_ups=(hostile,) * 3,
        notices=(hostile,),
    )
    engine.events = [Stage(hostile), claim, reply]
    page = browser.new_page()
    page.goto(address)
    box(page).wait_for()
    requested: list[str] = []
    page.on("request", lambda request: requested.append(urlsplit(request.url).path))
    exchange = ask(page, hostile)
    exchange.locator("button.marker").click()
    assert exchange.locator(".passage").text_content() == hostile
    expect(page.locator("#next .question-button").first).to_have_text(hostile)
    page.wait_for_timeout(500)
    assert [path for path in requested if not path.startswith("/gradio_api/")] == []
    assert page.title() == TITLE
    page.close()


def test_a_page_that_is_closed_is_forgotten_by_the_program(browser: Browser, staged: Staged) -> None:
    address, engine, blocks = staged
    engine.released.set()
    engine.events = [Reply("q", "q", Outcome.ABSTAIN, message="Nothing on that.")]
    page = browser.new_page()
    page.goto(address)
    box(page).fill(SECRET)
    box(page).press("Enter")
    expect(page.get_by_text("Nothing on that.")).to_be_visible()
    sessions = blocks.state_holder.session_data
    assert any(SECRET in str(session.config_values) for session in sessions.values())
    page.close()
    until = time.monotonic() + 10
    while sessions and time.monotonic() < until:
        time.sleep(0.1)
    assert not sessions
