"""The chat page as widgets and events, and the program that serves it. Words, looks and limits stand in the files beside."""

import contextlib
import logging
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
import gradio.routes
import uvicorn
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from gradio.events import api
from starlette.routing import Mount

from bot.contract import reply_json
from bot.engine import Engine
from bot.llm import destinations
from bot.settings import ChatSettings
from bot.suggestions import MOST as MOST_FOLLOW_UPS
from bot.ui import conversation, faculty, welcome
from bot.ui.conversation import UNEXPECTED, Exchange, View
from bot.ui.server import MOST_UPLOAD_BYTES, Guard
from knowledge.errors import ChatbotError, SettingsError

logger = logging.getLogger(__name__)

FOLDER = Path(__file__).parent
TITLE = "Questions and sources"  # tells nothing to somebody who sees the list of tabs
FONTS = ("-apple-system", "Segoe UI", "Roboto", "system-ui", "Helvetica Neue", "Arial", "sans-serif")
ANSWERS_AT_ONCE = 2
MOST_WAITING = 16
MOST_SESSIONS = 200
MOST_CONNECTIONS = 256
SESSION_SECONDS = 30 * 60
SECONDS_TO_FINISH = 10
UPLOAD_SECONDS = 60


def build_page(engine: Engine, chat: ChatSettings) -> gr.Blocks:
    """The page with all its events; of these only `/ask` and `/recommend` are interfaces for programs."""
    # An upload is deleted as it is read; one that nobody asked to read goes soon after.
    page = gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(UPLOAD_SECONDS, UPLOAD_SECONDS))
    page.state_session_capacity = MOST_SESSIONS
    with page:
        past = gr.State((), time_to_live=SESSION_SECONDS)
        _html(welcome.HEADER, "top")
        knowledge = faculty.Knowledge(engine)
        places = destinations(chat)
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap"):
            asking_tab = gr.Tab("Ask", id="ask")
            with gr.Tab("Find a resource", id="find"):
                faculty.find_tab(knowledge)
            with gr.Tab("Plan", id="plan"):
                faculty.plan_tab(knowledge)
            with gr.Tab("Review a deck", id="review"):
                faculty.review_tab(knowledge, page)
        with asking_tab, gr.Row(elem_id="layout"):
            _html(welcome.notice(places), "notice")
            with gr.Column(elem_id="talk"):
                transcript = _html("", "transcript")
                with gr.Column(elem_id="examples") as examples:
                    example_buttons = [
                        *_buttons("For learners", welcome.LEARNER_EXAMPLES),
                        *_buttons("For faculty", welcome.FACULTY_EXAMPLES),
                    ]
                with gr.Column(elem_id="next", visible=False) as following:
                    follow_up_buttons = _buttons("You could ask next", ("",) * MOST_FOLLOW_UPS)
                with gr.Column(elem_id="composer"):
                    status = _html(_status(View()), "status")
                    with gr.Row(elem_id="ask"):
                        box = gr.Textbox(
                            label="Your question",
                            show_label=False,
                            container=False,
                            placeholder="Ask in your own words",
                            max_lines=6,
                            max_length=chat.max_question_characters,
                            elem_id="box",
                            # Trap: a browser's spelling service may send what is typed elsewhere.
                            html_attributes=gr.InputHTMLAttributes(
                                autocomplete="off", autocorrect="off", spellcheck=False, enterkeyhint="send"
                            ),
                        )
                        send = gr.Button("Ask", elem_id="send", scale=0, min_width=88)
                        stop = gr.Button("Stop", elem_id="stop", scale=0, min_width=88, visible=False)
                    with gr.Row(elem_id="promise"):
                        _html(f'<p class="small">{escape(welcome.privacy(places))}</p>')
                        clear = gr.Button("Clear", elem_id="clear", scale=0, min_width=44)
            sources = _html("", "sources")

        def updates(view: View) -> dict[Any, Any]:
            suggestions = (*view.follow_ups, *[""] * MOST_FOLLOW_UPS)[:MOST_FOLLOW_UPS]
            return {
                past: view.past,
                transcript: view.transcript,
                status: _status(view),
                sources: view.sources,
                examples: gr.update(visible=not view.past),
                following: gr.update(visible=bool(view.follow_ups)),
                send: gr.update(visible=not view.running),
                stop: gr.update(visible=view.running),
                **{
                    button: gr.update(value=text, visible=bool(text))
                    for button, text in zip(follow_up_buttons, suggestions, strict=True)
                },
            }

        def show(question: str, earlier: tuple[Exchange, ...]) -> Iterator[dict[Any, Any]]:
            for moment, view in enumerate(conversation.ask(engine, question, earlier)):
                # Emptied once: meanwhile a person may type the next question.
                yield {**updates(view), box: gr.skip() if moment else ""}

        def halt(earlier: tuple[Exchange, ...]) -> dict[Any, Any]:
            return updates(conversation.stopped(earlier))

        def forget() -> dict[Any, Any]:
            return {**updates(View(status="Cleared.")), box: ""}

        def forget_session(request: gr.Request) -> None:
            # Trap: of a closed page gradio keeps state for an hour, and the last value of every component for good.
            page.state_holder.session_data.pop(request.session_hash or "", None)

        outputs = [*updates(View()), box]
        private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        asking: list[Any] = [
            listen(show, [given, past], outputs, concurrency_limit=ANSWERS_AT_ONCE, **private)
            for listen, given in (
                (box.submit, box),
                (send.click, box),
                *((button.click, button) for button in (*example_buttons, *follow_up_buttons)),
            )
        ]
        stop.click(halt, past, outputs, cancels=asking, **private)
        clear.click(forget, None, outputs, cancels=asking, **private)
        page.unload(forget_session)

        def ask(question: str) -> dict[str, Any]:
            """Answer one question from checked sources only.

            question: in English and in your own words, up to 2,000 characters.
            Returns the reply object of the command line's --json: outcome, claims with their cited passages, sources,
            and the same as Markdown. Nothing is stored.
            """
            try:
                return reply_json(engine.reply(question))
            except ChatbotError as error:
                raise gr.Error(str(error), print_exception=False) from error
            except Exception as error:
                conversation.log_unexpected(error)
                raise gr.Error(UNEXPECTED, print_exception=False) from None

        api(ask, api_name="ask", concurrency_limit=ANSWERS_AT_ONCE)
        api(faculty.recommend_api(knowledge), api_name="recommend", concurrency_limit=ANSWERS_AT_ONCE)
    page.queue(max_size=MOST_WAITING, api_open=False)
    return page


def build_app(engine: Engine, chat: ChatSettings) -> FastAPI:
    """The page behind its guard, with /healthz (the process answers) and /readyz (there is an index to answer from)."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard)

    @app.api_route("/healthz", methods=["GET", "HEAD"])
    def healthz() -> PlainTextResponse:
        return PlainTextResponse("ok")

    @app.api_route("/readyz", methods=["GET", "HEAD"])
    def readyz() -> PlainTextResponse:
        try:
            engine.library.get()
        except ChatbotError as error:
            logger.warning("not ready: %s", error)
            return PlainTextResponse("not ready", status_code=503)
        return PlainTextResponse("ready")

    gr.mount_gradio_app(
        app,
        build_page(engine, chat),
        path="/",
        app_kwargs={"openapi_url": None},
        theme=gr.themes.Base(font=list(FONTS), font_mono=["ui-monospace", "monospace"]),
        css_paths=[FOLDER / "page.css", FOLDER / "print.css"],
        js=(FOLDER / "page.js").read_text(encoding="utf-8"),
        run_history=False,
        footer_links=[],
        enable_monitoring=False,
        show_error=False,
        max_file_size=MOST_UPLOAD_BYTES,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
    )
    return app


def serve(engine: Engine, chat: ChatSettings) -> int:
    """Serve the page until stopped, and say where. Raises SettingsError when the address cannot be used."""
    with _listening(chat.host, chat.port) as listener:
        host, port = listener.getsockname()[:2]
        server = _Server(build_app(engine, chat))
        if threading.current_thread() is threading.main_thread():
            # uvicorn raises the signal again when it has finished; a stop that was asked for is no fault.
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        sys.stdout.write(f"Open http://{f'[{host}]' if ':' in host else host}:{port} in a browser; Ctrl+C stops.\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
    return 0


class _Server(uvicorn.Server):
    """One process that lets running answers finish when it is stopped."""

    def __init__(self, app: FastAPI) -> None:
        self._pages = [r.app for r in app.routes if isinstance(r, Mount) and isinstance(r.app, gradio.routes.App)]
        super().__init__(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=MOST_CONNECTIONS,
                timeout_graceful_shutdown=SECONDS_TO_FINISH,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the heartbeats of open pages first, which would last until the time to finish is up."""
        for page in self._pages:
            page.stop_event.set()
        await super().shutdown(sockets)


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise SettingsError(
            f"The page cannot listen on {host}, port {port} ({error.strerror}). "
            "Choose another with --port (0 takes a free one) or --host."
        ) from error


def _html(value: str, name: str | None = None) -> gr.HTML:
    return gr.HTML(value, elem_id=name, apply_default_css=False, js_on_load=None)


def _buttons(heading: str, questions: tuple[str, ...]) -> list[gr.Button]:
    """A group of questions to press, under its heading."""
    with gr.Column(elem_classes="questions"):
        _html(f"<h2>{heading}</h2>")
        return [gr.Button(question, elem_classes="question-button") for question in questions]


def _status(view: View) -> str:
    """A line that is read out when it changes; at rest it is heard but not seen."""
    return f'<p role="status" class="{"stage" if view.running else "unseen"}">{escape(view.status)}</p>'
