from bot.conversation import lead, understand
from bot.reply import Turn

HISTORY = [
    Turn("user", "What is the racial harassment charter?"),
    Turn(
        "assistant",
        "*I understood: x*\n\n"
        "The British Medical Association's charter sets standards. \\[1\\]\n\n**Sources**\n\n1. Someone (2020).",
    ),
]


def surer_with_history(text: str) -> float:
    return 0.9 if "about:" in text else 0.4


def surer_alone(text: str) -> float:
    return 0.4 if "about:" in text else 0.6


def test_a_follow_up_takes_the_words_it_lacks_from_the_last_exchange() -> None:
    understood = understand("how many have signed", HISTORY, surer_with_history)
    assert understood.carried.startswith("racial harassment charter British Medical")
    assert understood.text.startswith("how many have signed (about: ")


def test_a_question_that_finds_its_evidence_alone_carries_nothing() -> None:
    assert (
        understand("What was the fuss over Bard Hall", HISTORY, surer_alone).text == "What was the fuss over Bard Hall"
    )


def test_a_spoken_change_of_topic_carries_nothing_and_is_not_searched() -> None:
    understood = understand("Thanks. Separate question, who wrote the checklist?", HISTORY, surer_with_history)
    assert understood.text == "who wrote the checklist?"


def test_without_a_conversation_the_question_stays_and_nothing_is_searched() -> None:
    def unused(text: str) -> float:
        raise AssertionError(text)

    assert understand("who taught it?", [], unused).text == "who taught it?"


def test_only_the_last_exchange_is_carried() -> None:
    old = [Turn("user", "Tell me about the Hamburg seminar"), Turn("assistant", "It took 90 minutes.")]
    assert "Hamburg" not in understand("how many have signed", [*old, *HISTORY], surer_with_history).text


def test_the_lead_of_a_reply_has_no_markup_markers_or_sources() -> None:
    assert lead(HISTORY[1].content) == "The British Medical Association's charter sets standards."


def no_surer_with_history(text: str) -> float:
    return 0.45 if "about:" in text else 0.5


def test_a_fragment_and_a_pronoun_lean_on_what_was_said_even_if_the_search_is_no_surer() -> None:
    for leaning in ("And attitudes?", "what do they want changed", "what about residents?"):
        assert understand(leaning, HISTORY, no_surer_with_history).carried


def test_a_full_question_about_a_new_name_is_a_new_topic_even_if_the_old_words_help() -> None:
    def a_little_surer(text: str) -> float:
        return 0.6 if "about:" in text else 0.5

    question = "thx. what does the Medical Schools Council say about placements"
    assert not understand(question, HISTORY, a_little_surer).carried
    assert understand("what does the charter say about placements", HISTORY, a_little_surer).carried
