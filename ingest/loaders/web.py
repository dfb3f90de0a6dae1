"""Single addresses to files: only on request, only from public servers, within limits. Door to requests-hardened."""

import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests
from requests_hardened import Config, HTTPSession
from requests_hardened.ip_filter import InvalidIPAddress

from ingest.add import Found, find, shown_name
from knowledge.errors import RecordError

MOST_REDIRECTS = 3
TOTAL_SECONDS = 30.0
MOST_BYTES = 20_000_000
AGENT = "upstander-ingest (single documents, on a maintainer's request)"
ENDINGS = {
    "text/html": ".html", "application/xhtml+xml": ".html", "application/pdf": ".pdf", "text/plain": ".txt",
    "text/markdown": ".md", "application/x-bibtex": ".bib", "application/x-research-info-systems": ".ris",
    "application/vnd.citationstyles.csl+json": ".json", "application/json": ".json", "text/csv": ".csv",
    "application/epub+zip": ".epub",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """What one argument stands for: files, and the address of those that were fetched."""

    files: tuple[Found, ...]
    origins: dict[Path, str] = field(default_factory=dict)


@contextmanager
def fetched(places: Sequence[str], *, allowed: bool, loopback: bool = False) -> Iterator[list[Place]]:
    """The files of each path or address; what was fetched is gone at the end. Raises RecordError for a missing path.

    `loopback` lets tests fetch from their own machine.
    """
    with tempfile.TemporaryDirectory(prefix="upstander-") as folder:
        found = []
        for number, place in enumerate(places):
            if "://" not in place:
                found.append(Place(tuple(find(Path(place)))))
                continue
            shown = shown_name(place)
            try:
                if not allowed:
                    raise RecordError("Addresses are not fetched unless you say so; add --allow-urls.")
                path = _in_time(partial(fetch, place, Path(folder) / str(number), loopback=loopback))
                found.append(Place((Found(path, shown),), {path: place}))
            except RecordError as error:
                found.append(Place((Found(Path(), shown, "refused", str(error)),)))
        yield found


def _in_time(call: Callable[[], Path]) -> Path:
    """The result of a call if it comes in time. Raises RecordError, also for what the call raises.

    Trap: time-outs of requests bound each wait for the network, so a server that drips bytes could hold a fetch for hours.
    """
    results: list[Path] = []
    faults: list[RecordError] = []

    def run() -> None:
        try:
            results.append(call())
        except RecordError as error:
            faults.append(error)

    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    worker.join(TOTAL_SECONDS)
    if faults:
        raise faults[0]
    if not results:
        raise RecordError(f"The server took more than {TOTAL_SECONDS:.0f} seconds; save the page and add the file.")
    return results[0]


def fetch(url: str, folder: Path, *, loopback: bool = False) -> Path:
    """Download one address into a new folder; returns the file, named by its address and type. Raises RecordError."""
    config = Config(
        ip_filter_enable=True,
        ip_filter_allow_loopback_ips=loopback,
        never_redirect=False,
        default_timeout=(5, 10),
        user_agent_override=AGENT,
    )
    with HTTPSession(config) as session:
        session.trust_env = False  # no proxies and no stored passwords
        session.headers["Accept-Encoding"] = "identity"  # so that the size limit counts what will be read
        for _ in range(MOST_REDIRECTS + 1):
            _check_address(url, loopback)
            try:
                # Redirects are followed here, so that each address is checked before it is asked.
                with session.request("GET", url, stream=True, allow_redirects=False, timeout=(5, 10)) as response:
                    if response.is_redirect:
                        url = urljoin(url, response.headers["location"])
                        continue
                    return _save(response, url, folder)
            except InvalidIPAddress as error:
                raise RecordError("It leads to a private or local address; only public servers are asked.") from error
            except (requests.RequestException, OSError, UnicodeError) as error:
                raise RecordError(
                    f"It could not be fetched ({type(error).__name__}); check the address, or save the page and add the file."
                ) from error
    raise RecordError(f"It leads on more than {MOST_REDIRECTS} times; give the last address.")


def _check_address(url: str, loopback: bool) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise RecordError("It is no address that can be read; correct it.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RecordError("It is no http or https address; save the document and add the file.")
    if parts.username or parts.password:
        raise RecordError("It holds a user name or password; save the document and add the file.")
    if port not in (None, 80, 443) and not loopback:
        raise RecordError(f"It asks for port {port}; only web servers on their usual ports are asked.")


def _save(response: requests.Response, url: str, folder: Path) -> Path:
    if response.status_code != 200:
        raise RecordError(
            f"The server answered {response.status_code}; check the address, or save the page and add the file."
        )
    kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in ENDINGS:
        raise RecordError(f"It is of the type {kind[:60] or 'unknown'!r}, which has no reader; save it as PDF or HTML.")
    folder.mkdir()
    stem = Path(urlsplit(url).path).stem or urlsplit(url).hostname or "page"
    path = folder / (("".join(c if c.isalnum() or c in "-_" else "-" for c in stem)[:60] or "page") + ENDINGS[kind])
    size = 0
    with path.open("wb") as file:
        for chunk in response.iter_content(65_536):
            size += len(chunk)
            if size > MOST_BYTES:
                raise RecordError(f"It is larger than {MOST_BYTES:,} bytes; save the part you need and add the file.")
            file.write(chunk)
    return path
