"""Settings to a working engine: the only place that names concrete classes."""

from bot.drafting import ExtractiveDrafter
from bot.engine import Engine
from bot.grounding import CascadeVerifier
from bot.retriever import Retriever
from bot.settings import ChatSettings
from bot.vectors import StoredVectors
from knowledge.embedding import open_embedder
from knowledge.errors import SettingsError
from knowledge.generation import GenerationStore
from knowledge.index import LiveIndex
from knowledge.settings import IndexSettings


def assemble(chat: ChatSettings, index: IndexSettings) -> Engine:
    """An engine that is ready to answer. Raises SettingsError, IndexUnusable or ModelError."""
    if chat.model != "extractive":
        raise SettingsError(f"There is no model {chat.model!r}. Set UPSTANDER_MODEL to 'extractive' or unset it.")
    store = GenerationStore(index.index_folder)
    store.current()  # a missing index is said before seconds go into the encoder
    embedder = open_embedder(index.embedder, index.models_folder)
    library = LiveIndex(store, embedder.identity)
    return Engine(
        library=library,
        retriever=Retriever(embedder),
        drafter=ExtractiveDrafter(),
        verifier=CascadeVerifier(StoredVectors(library, embedder).embed),
        most_characters=chat.max_question_characters,
    )
