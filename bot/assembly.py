"""Settings to a working engine: the only place that names concrete classes."""

from bot.abstention import Restraint
from bot.alignment import Embed
from bot.care import FittedCare
from bot.drafting import ExtractiveDrafter
from bot.engine import Engine
from bot.entailment import ChatScorer, CrossEncoderScorer, EntailmentVerifier
from bot.grounding import CascadeVerifier, Verifier
from bot.intent import IntentReader
from bot.llm import ChatModelDrafter, open_chat_model
from bot.plan import Planner
from bot.recommender import Recommender
from bot.retriever import Retriever
from bot.settings import ChatSettings
from bot.vectors import StoredVectors
from knowledge.embedding import RememberingEmbedder, open_embedder
from knowledge.errors import SettingsError
from knowledge.generation import GenerationStore
from knowledge.index import LiveIndex
from knowledge.settings import IndexSettings


def assemble(chat: ChatSettings, index: IndexSettings) -> Engine:
    """An engine that is ready to answer. Raises SettingsError, IndexUnusable or ModelError."""
    model = None if chat.model == "extractive" else ChatModelDrafter(open_chat_model(chat.model, chat))
    store = GenerationStore(index.index_folder)
    store.current()  # a missing index is said before seconds go into the encoder
    embedder = RememberingEmbedder(open_embedder(index.embedder, index.models_folder))
    library = LiveIndex(store, embedder.identity, index.chroma)
    retriever = Retriever(embedder)
    intents = IntentReader.open(embedder, library.get().question_vectors)
    return Engine(
        library=library,
        retriever=retriever,
        drafter=model or ExtractiveDrafter(),
        fallback=ExtractiveDrafter() if model else None,
        verifier=open_verifier(chat, StoredVectors(library, embedder).embed),
        care=FittedCare(embedder, retriever, intents, Restraint.open(embedder)),
        most_characters=chat.max_question_characters,
    )


def open_verifier(chat: ChatSettings, embed: Embed | None = None) -> Verifier:
    """The check that the settings name; without `embed` the built-in one accepts quotations only. Raises SettingsError."""
    kind, _, name = chat.verifier.partition(":")
    if chat.verifier == "built-in":
        return CascadeVerifier(embed)
    if kind == "cross-encoder" and name:
        return EntailmentVerifier(CrossEncoderScorer(name))
    if kind == "chat" and name:
        return EntailmentVerifier(ChatScorer(open_chat_model(name, chat)))
    raise SettingsError(
        f"There is no check {chat.verifier!r}. Set UPSTANDER_VERIFIER to 'built-in', to cross-encoder:FOLDER, or to "
        "chat:provider:name, for example chat:ollama:llama3.2"
    )


def open_library(index: IndexSettings) -> tuple[LiveIndex, Retriever]:
    """The live index and a retriever for it. Raises IndexUnusable or ModelError."""
    store = GenerationStore(index.index_folder)
    store.current()
    embedder = open_embedder(index.embedder, index.models_folder)
    return LiveIndex(store, embedder.identity, index.chroma), Retriever(embedder)


def assemble_recommender(index: IndexSettings) -> Recommender:
    """A recommender over the live index. Raises IndexUnusable or ModelError."""
    return Recommender(*open_library(index))


def assemble_planner(index: IndexSettings) -> Planner:
    """A plan builder over the live index. Raises IndexUnusable or ModelError."""
    return Planner(*open_library(index))
