"""Run a function in a process of its own, so that what it holds, breaks or leaves in memory goes when it ends."""

import multiprocessing
import pickle
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from knowledge.errors import ChatbotError

MOST_ANSWER_BYTES = 200_000_000
END_SECONDS = 5

T = TypeVar("T")


class Died(Exception):
    """The process ended without an answer; `exit_code` is minus the signal's number where one ended it."""

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(f"exit code {exit_code}")
        self.exit_code = exit_code


def answer(context: Any, target: Callable[..., None], arguments: tuple[Any, ...], seconds: float | None) -> bytes:
    """What `target`, given a pipe and the arguments, sends back from another process, which never outlives this call.

    Should this process be killed, the other one ends when it finds nobody to send to. Raises Died, or TimeoutError after
    `seconds` (None: never).
    """
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=target, args=(theirs, *arguments), daemon=True)
    with _uninterrupted():
        child.start()
    theirs.close()
    try:
        if not ours.poll(seconds):
            raise TimeoutError
        sent: bytes = ours.recv_bytes(MOST_ANSWER_BYTES)
        child.join(END_SECONDS)  # so that it gives back what it holds
        return sent
    except TimeoutError:
        raise
    except (EOFError, OSError) as error:
        child.join(END_SECONDS)
        raise Died(child.exitcode) from error
    finally:
        child.kill()
        child.join()
        ours.close()


def fresh(call: Callable[..., T], *arguments: object, seconds: float | None = None) -> T:
    """The result of a module's function in a new interpreter, which shares no memory with this one.

    Raises Died or TimeoutError, and what the call raises for the project's own faults and for those of the disk.
    """
    sent = answer(multiprocessing.get_context("spawn"), _call, (call, arguments), seconds)
    result = pickle.loads(sent)
    if isinstance(result, ChatbotError | OSError):
        raise result
    made: T = result
    return made


def _call(pipe: Connection, call: Callable[..., object], arguments: tuple[object, ...]) -> None:
    try:
        result = call(*arguments)
    except (ChatbotError, OSError) as error:
        result = error
    pipe.send(result)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """What is started meanwhile never sees Ctrl+C, of which this process alone should speak."""
    if hasattr(signal, "pthread_sigmask"):
        resource_tracker.ensure_running()  # trap: when it starts by itself, it lets the signal through again
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    else:
        yield
