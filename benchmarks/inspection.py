"""How fast `charnn corpus inspect` counts a text, and what memory it takes.

    python benchmarks/inspection.py corpora/mujeong.txt --mb 8 --mb 100 --mb 1000

The text is repeated until it has that many MB (of the file, not of characters), in a temporary
folder. Counting is the part that grows with the text; the rest looks at 8 MB at most. Each size
runs in a process of its own, so that its peak of memory is its own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import heading

MEASURED = """
import json, resource, sys, time
from charnn.corpus.tokenizers.comparison import compare_tokenizers
from charnn.text.inspect import inspect_texts

began, stages, last = time.perf_counter(), {}, ["reading", time.perf_counter()]

def tell(stage, done, total):
    if stage != last[0]:
        now = time.perf_counter()
        stages[last[0]] = now - last[1]
        last[:] = [stage, now]

found = inspect_texts([sys.argv[1]], encoding=sys.argv[2] or None, tell=tell)
tell("tokenizers", 0, 0)
compare_tokenizers(found.sample.texts)
tell("end", 0, 0)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
stages["all"] = time.perf_counter() - began
print(json.dumps({"stages": stages, "peak": peak / 1024, "characters": found.counts.characters}))
"""


def main() -> None:
    """Print machine, versions, command and the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path, help="a text in UTF-8")
    parser.add_argument("--mb", type=float, action="append", help="sizes of the repeated text")
    parser.add_argument("--encoding", default="utf-8", help="what to measure it in")
    arguments = parser.parse_args()
    print(heading())
    print()
    print("| MB | characters | counting MB/s | all, s | peak MB | stages, s |")
    print("|---:|---:|---:|---:|---:|---|")
    for megabytes in arguments.mb or [8, 100]:
        print_row(arguments.text, megabytes, arguments.encoding)


def print_row(text: Path, megabytes: float, encoding: str) -> None:
    """Measure one size."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "text.txt")
        size = write_repeated(text, path, megabytes, encoding)
        command = [sys.executable, "-c", MEASURED, str(path), ""]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    stages = found["stages"]
    counting = stages["reading"] + stages["counting"]
    told = ", ".join(f"{name} {seconds:.2f}" for name, seconds in stages.items() if name != "all")
    print(
        f"| {size / 1e6:,.1f} | {found['characters']:,} | {size / 1e6 / counting:,.0f} "
        f"| {stages['all']:.1f} | {found['peak']:,.0f} | {told} |"
    )


def write_repeated(text: Path, path: Path, megabytes: float, encoding: str) -> int:
    """Write the text again and again, each time in full; bytes come out."""
    data = text.read_text("utf-8").encode(encoding, "replace")
    times = max(1, round(megabytes * 1e6 / len(data)))
    with path.open("wb") as file:
        for _ in range(times):
            file.write(data)
    return times * len(data)


if __name__ == "__main__":
    main()
