"""The README is short, and what it says works."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from bot.settings import ChatSettings
from evals.settings import EvalSettings
from knowledge.errors import SettingsError
from knowledge.settings import IndexSettings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
SETTINGS: list[type[BaseModel]] = [IndexSettings, ChatSettings, EvalSettings]


def test_the_table_names_every_setting_with_its_own_description() -> None:
    rows = dict(re.findall(r"^\| `(UPSTANDER_\w+)` \| [^|]+ \| (.+) \|$", README, re.MULTILINE))
    fields = {
        f"UPSTANDER_{name.upper()}": str(field.description)
        for kind in SETTINGS
        for name, field in kind.model_fields.items()
    }
    assert rows == fields


@pytest.mark.parametrize("kind", SETTINGS)
def test_each_setting_is_read_from_its_variable(kind) -> None:
    for name, field in kind.model_fields.items():
        value = "70" if field.annotation is int else "70.0" if field.annotation is float else "http://127.0.0.1:1"
        value = {"keep_generations": "7", "model_retries": "3"}.get(name, value)
        assert kind.from_env({f"UPSTANDER_{name.upper()}": value}) == kind.model_validate({name: value}) != kind()


def test_a_value_out_of_range_names_its_variable() -> None:
    with pytest.raises(SettingsError, match="UPSTANDER_PORT cannot be used"):
        ChatSettings.from_env({"UPSTANDER_PORT": "many"})


@pytest.mark.parametrize("target", re.findall(r"^make (\w+)", README, re.MULTILINE))
def test_each_make_command_exists(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


def test_each_link_leads_to_a_file() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_each_python_command_names_a_command_of_the_program() -> None:
    from bot.__main__ import _parser as of_bot
    from ingest.__main__ import _parser as of_ingest

    usage = {"bot": of_bot().format_help(), "ingest": of_ingest().format_help()}
    commands = re.findall(r"^python -m (\w+) (\w+)", README, re.MULTILINE)
    assert commands
    assert [command for package, command in commands if command not in usage[package]] == []


def test_it_stays_short() -> None:
    assert len(README.splitlines()) <= 70
