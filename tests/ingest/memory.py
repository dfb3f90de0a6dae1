"""How much memory a command takes with all processes that it starts, by hand or in a test (Linux only):

python -m tests.ingest.memory python -m ingest add FOLDER
"""

import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

EVERY_SECONDS = 0.05


def _family(top: int) -> list[int]:
    """A process and all below it."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((place / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        children[parent].append(int(place.name))
    found = [top]
    for process in found:
        found += children[process]
    return found


def _size(process: int) -> int:
    """Bytes of memory, of shared pages its share; 0 for one that has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:")), 0)


def peaks(command: Sequence[str | Path]) -> tuple[int, int, int]:
    """Run a command: the most bytes that it took in all, the most of any one process below it, and its exit code."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most, most_below = 0, 0
    while process.poll() is None:
        sizes = [_size(member) for member in _family(process.pid)]
        most, most_below = max(most, sum(sizes)), max(most_below, *sizes[1:], 0)
        time.sleep(EVERY_SECONDS)
    return most, most_below, process.returncode


if __name__ == "__main__":
    most, most_below, code = peaks(sys.argv[1:])
    sys.stdout.write(f"{most / 1e6:,.0f} MB in all, {most_below / 1e6:,.0f} MB the largest below, exit code {code}\n")
