"""The seed experiment of the field beside charnn's defaults, on the same text, as it goes on.

    python benchmarks/classic.py mujeong.txt --minutes 5

`--size classic` is one LSTM layer of 100 units with Adagrad at 0.1, windows of 25 and one row of
text. Both are shown near step 0, step 4,900 and after the given minutes: bits per character on the
held-out part, and what they write.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from machine import heading
from texts import find_text

STEP = 4900
TEMPERATURE = 0.8


def main() -> None:
    """Run the trainings one after another and print what they came to."""
    options = _arguments()
    print(heading())
    minutes = ["--minutes", str(options.minutes)]
    every = ["--size", "classic", "--sample-every", f"{STEP}steps"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or temporary
        # classic has a constant rate: its first 4,900 steps are the same whatever comes after
        runs = {
            "classic-4900": [*every, "--steps", str(STEP)],
            "classic": [*every, *minutes],
            "charnn": [*minutes, "--no-ngram"],
        }
        for name, budget in runs.items():
            train(options.text, name, budget, folder)
        for name in runs:
            show(Path(folder) / name)


def train(text: str, name: str, budget: list[str], folder: str) -> None:
    """One whole training as a process of its own."""
    command = [sys.executable, "-m", "charnn", "train", str(find_text(text)), "--run", name]
    subprocess.run([*command, "--checkpoints", folder, "--ui", "none", *budget], check=True)


def show(run: Path) -> None:
    """The validations and the samples nearest to the steps in question."""
    print(f"\n== {run.name}")
    validations = _records(run / "metrics.jsonl", "validation")
    samples = [
        sample
        for sample in _records(run / "samples.jsonl", "sample")
        if sample["temperature"] == TEMPERATURE
    ]
    for wanted in (0, STEP, validations[-1]["step"]):
        score, sample = _nearest(validations, wanted), _nearest(samples, wanted)
        text = "".join(piece for piece, _ in sample["pieces"])
        print(f"step {score['step']:>7,}  {score['bits_per_char']:.3f} bits per character")
        print(f"-- step {sample['step']:,}, temperature {TEMPERATURE}\n{text}")


def _nearest(records: list[dict[str, Any]], step: int) -> dict[str, Any]:
    """The record nearest to a step; of two the later, which is of the whole held-out part."""
    return min(reversed(records), key=lambda record: abs(record["step"] - step))


def _records(journal: Path, kind: str) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in journal.read_text("utf-8").splitlines()]
    return [record for record in records if record["record"] == kind]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="the seed experiment beside the defaults")
    parser.add_argument("text")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--folder", help="keep the runs in this folder of runs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
