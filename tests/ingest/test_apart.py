import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ingest.apart import Died, fresh
from knowledge.errors import IndexCorrupt
from tests.ingest.crash import ROOT

HELD = ["a word of this process"]


def held() -> list[str]:
    return HELD


def corrupt() -> None:
    raise IndexCorrupt("It is broken.")


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "/a/file")


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def sleep_then_write(path: str, seconds: float) -> None:
    time.sleep(seconds)
    Path(path).write_text(str(os.getpid()))


def test_nothing_that_this_process_holds_is_there() -> None:
    HELD.append("another")
    assert fresh(held) == ["a word of this process"]


def test_faults_of_the_project_and_of_the_disk_come_back() -> None:
    with pytest.raises(IndexCorrupt, match=r"It is broken\."):
        fresh(corrupt)
    with pytest.raises(OSError, match="No space left") as caught:
        fresh(full)
    assert caught.value.errno == errno.ENOSPC


def test_a_crash_and_a_hang_end_the_other_process_only(tmp_path: Path) -> None:
    with pytest.raises(Died) as died:
        fresh(crash)
    assert died.value.exit_code == -signal.SIGSEGV
    with pytest.raises(TimeoutError):
        fresh(sleep_then_write, str(tmp_path / "late"), 60.0, seconds=0.5)
    assert not (tmp_path / "late").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_no_process_stays_behind_when_this_one_is_killed(tmp_path: Path) -> None:
    place = str(tmp_path / "done")
    code = f"from ingest.apart import fresh; from tests.ingest.test_apart import sleep_then_write as s; fresh(s, {place!r}, 3.0)"
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    while time.monotonic() < deadline and not any(
        b"spawn_main" in _command(child) for child in children.read_text().split()
    ):
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    while not Path(place).exists() or Path(f"/proc/{Path(place).read_text() or 'x'}").exists():
        assert time.monotonic() < deadline, "it waits for ever"
        time.sleep(0.1)


def _command(process: str) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""
