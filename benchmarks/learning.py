"""How good is the model after so many minutes: whole `charnn train` commands, one after another.

    python benchmarks/learning.py mujeong.txt --minutes 5
    python benchmarks/learning.py mujeong.txt --minutes 5 --options "--tokenizer jamo"
    python benchmarks/learning.py tinyshakespeare.txt --minutes 3 --seeds 1,2,3

Each row is a process of its own, from start to exit, with nothing else running; its numbers are
those of `charnn eval --dynamic` on the last 10 % of the text, which chose the checkpoint and
nothing else: the network alone, the n-gram model alone, both, and all three while they go on
learning. A run during which the machine's matrix products drift by more than 5 % is marked:
repeat it.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import calibrate, heading

DRIFT = 0.05
COLUMNS = {
    "network": "network_bits_per_char",
    "n-gram": "ngram_bits_per_char",
    "both": "bits_per_char",
    "network*": "dynamic_network_bits_per_char",
    "n-gram*": "dynamic_ngram_bits_per_char",
    "both*": "dynamic_bits_per_char",
}
"""What is printed, and what it is called in the JSON; * while going on learning."""


def main() -> None:
    """Train, score, print a row for each seed and keep it as a line of JSON."""
    options = _arguments()
    print(heading())
    print()
    print(
        f"{'text':<20} {'options':<22} {'min':>5} {'seed':>4} {'wall s':>7} {'steps':>7}", end=" "
    )
    print(" ".join(f"{name:>8}" for name in COLUMNS), " drift  (bits per character)")
    for seed in options.seeds.split(","):
        row = measure(options.text, options.minutes, options.options, int(seed))
        drifted = abs(row["drift"]) > DRIFT
        print(
            f"{row['text']:<20} {row['options']:<22} {row['minutes']:>5g} {row['seed']:>4} "
            f"{row['wall']:>7.1f} {row['steps']:>7} "
            + " ".join(f"{row[key] or 0:>8.4f}" for key in COLUMNS.values())
            + f"  {row['drift']:+.1%}"
            + (" REPEAT" if drifted else ""),
            flush=True,
        )
        if options.out:
            with Path(options.out).open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


def measure(text: str, minutes: float, extra: str, seed: int) -> dict[str, object]:
    """One whole training and its score."""
    path = find_text(text)
    before = calibrate()
    with tempfile.TemporaryDirectory() as folder:
        shared = ["--checkpoints", folder]
        train = ["train", str(path), "--minutes", str(minutes), "--seed", str(seed)]
        began = time.monotonic()
        _charnn([*train, "--ui", "none", *shlex.split(extra), *shared])
        wall = time.monotonic() - began
        after = calibrate()
        scored = json.loads(_charnn(["eval", "--dynamic", "--json", *shared]))
        plan = json.loads(next(Path(folder).glob("*/plan.json")).read_text("utf-8"))["plan"]
    drift = max((b / a - 1 for a, b in zip(before, after, strict=True)), key=abs)
    return {
        "text": path.name,
        "options": extra,
        "minutes": minutes,
        "seed": seed,
        "wall": wall,
        "steps": plan["total_steps"],
        "drift": drift,
        "gflops": before,
        **scored,
    }


def find_text(name: str) -> Path:
    """The text of that name: a path, or a file in CHARNN_TEXTS or corpora/."""
    folders = [Path(), Path(os.environ.get("CHARNN_TEXTS", "")), Path("corpora")]
    for folder in folders:
        if (folder / name).is_file():
            return (folder / name).resolve()
    sys.exit(f"there is no {name}: set CHARNN_TEXTS to the folder that has it")


def _charnn(arguments: list[str]) -> str:
    command = [sys.executable, "-m", "charnn", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    return done.stdout


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="bits per character after so many minutes")
    parser.add_argument("text")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--options", default="", help="more options for charnn train")
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--out", help="append each row to this file as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
