import pytest

from bot.settings import ChatSettings, first_set, provider_address
from knowledge.errors import SettingsError
from knowledge.settings import silence_libraries


def test_settings_of_a_model_are_read_from_the_environment_and_the_command_line_wins() -> None:
    environ = {
        "UPSTANDER_MODEL": "ollama:x",
        "UPSTANDER_MODEL_URL": "http://127.0.0.1:11434",
        "UPSTANDER_MODEL_TIMEOUT_SECONDS": "7.5",
        "UPSTANDER_VERIFIER": "cross-encoder:/models/nli",
    }
    read = ChatSettings.from_env(environ, model="openai:y")
    assert (read.model, read.model_url, read.model_timeout_seconds, read.verifier) == (
        "openai:y",
        "http://127.0.0.1:11434",
        7.5,
        "cross-encoder:/models/nli",
    )
    assert ChatSettings.from_env({}).model == "extractive"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UPSTANDER_MODEL_URL", "gpu:11434"),
        ("UPSTANDER_MODEL_TIMEOUT_SECONDS", "0"),
        ("UPSTANDER_MODEL_RETRIES", "99"),
        ("UPSTANDER_MODEL_MAX_TOKENS", "many"),
    ],
)
def test_a_setting_out_of_range_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        ChatSettings.from_env({name: value})


def test_the_first_variable_with_a_value_counts() -> None:
    assert first_set(("A", "B"), {"A": "", "B": "b"}) == "b"
    assert first_set((), {"A": "a"}) is None
    assert provider_address("openai", {"OPENAI_BASE_URL": "https://a.example"}) == "https://a.example"
    assert provider_address("groq", {"OPENAI_BASE_URL": "https://a.example"}) is None


def test_no_proxy_or_gateway_comes_between_this_machine_and_its_model() -> None:
    environ = {"NO_PROXY": "school.example", "LANGSMITH_GATEWAY": "true", "HTTP_PROXY": "http://proxy.example"}
    silence_libraries(environ)
    assert environ["NO_PROXY"] == "school.example,127.0.0.1,localhost,::1"
    assert environ["no_proxy"] == "127.0.0.1,localhost,::1"
    assert "LANGSMITH_GATEWAY" not in environ
