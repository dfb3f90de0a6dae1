"""Every fault that the project raises on purpose.

ChatbotError
├── SettingsError      a setting is missing or out of range
├── QuestionError      what a person typed cannot be read as a question
├── RecordError        a record or document cannot be used (names file, field and reason)
├── IndexUnusable      IndexMissing · IndexStale · IndexCorrupt · IndexBusy · IndexNotWritten · ServerAway
├── EvaluationError    a case, run, baseline or gate file of the evaluation cannot be used
└── ModelError         ModelTimeout (retryable) · ModelReplyError · ModelUnfinished

The message of each is one sentence that says what to do next; it is shown to people as it is.
"""


class ChatbotError(Exception):
    """A fault with one sentence for the person in front of the program."""

    exit_code = 1
    retryable = False


class SettingsError(ChatbotError):
    """A setting is missing or out of range."""

    exit_code = 2


class QuestionError(ChatbotError):
    """What a person typed cannot be read as a question; `reason` is one of the contract's words."""

    exit_code = 2

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class RecordError(ChatbotError):
    """A record or document cannot be used; the message names file, field and reason."""

    exit_code = 2


class IndexUnusable(ChatbotError):
    """The index cannot be read as it is."""


class IndexMissing(IndexUnusable):
    """No index has been built in the data folder."""


class IndexStale(IndexUnusable):
    """The index was built with another embedding model or other settings than the reader's."""


class IndexCorrupt(IndexUnusable):
    """Files of the index are damaged or missing."""


class IndexBusy(IndexUnusable):
    """Another process is writing the index."""

    retryable = True


class IndexNotWritten(IndexUnusable):
    """A new index could not be written, for want of space or by a fault of the disk; the one in use is unchanged."""


class ServerAway(IndexUnusable):
    """The Chroma server does not answer."""

    retryable = True


class EvaluationError(ChatbotError):
    """A case, run, baseline or gate file of the evaluation cannot be used; the message names it and what to do."""

    exit_code = 2


class ModelError(ChatbotError):
    """The chat model or the embedding model cannot be used."""


class ModelTimeout(ModelError):
    """The chat model did not answer in time."""

    retryable = True


class ModelReplyError(ModelError):
    """The chat model answered with something that cannot be read."""


class ModelUnfinished(ModelReplyError):
    """The chat model's answer ended without the sign that it was complete; what it sent is as it was sent."""
