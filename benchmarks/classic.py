"""The seed experiment of the field beside charnn's defaults, on the same text, as it goes on.

    python benchmarks/classic.py mujeong.txt --minutes 5

`--size classic` is one LSTM layer of 100 units with Adagrad at 0.1, windows of 25 and one row of
text. Both are shown at step 0, at step 4,900 and after the given minutes: bits per character on the
held-out part, and what they write.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from learning import find_text
from machine import heading

STEP = 4900
TEMPERATURE = "0.8"


def main() -> None:
    """Run the trainings one after another and print what they came to."""
    options = _arguments()
    print(heading())
    minutes = ["--minutes", str(options.minutes)]
    with tempfile.TemporaryDirectory() as folder:
        # classic has a constant rate: its first 4,900 steps are the same whatever comes after
        runs = {
            "classic-4900": ["--size", "classic", "--steps", str(STEP)],
            "classic": ["--size", "classic", *minutes],
            "charnn": minutes,
        }
        for name, budget in runs.items():
            train(options.text, name, budget, folder)
        for name in runs:
            show(Path(folder) / name)


def train(text: str, name: str, budget: list[str], folder: str) -> None:
    """One whole training as a process of its own."""
    command = [sys.executable, "-m", "charnn", "train", str(find_text(text)), "--run", name]
    command += ["--checkpoints", folder, "--ui", "none", "--temps", TEMPERATURE]
    command += ["--sample-every", f"{STEP}steps", *budget]
    subprocess.run(command, check=True)


def show(run: Path) -> None:
    """The validations nearest to the steps in question, and every sample."""
    print(f"\n== {run.name}")
    validations = [r for r in journal(run / "metrics.jsonl") if r["record"] == "validation"]
    last = validations[-1]
    for wanted in (0, STEP, last["step"]):
        near = min(validations, key=lambda record: abs(record["step"] - wanted))
        print(f"step {near['step']:>7,}  {near['bits_per_char']:.3f} bits per character")
    for sample in journal(run / "samples.jsonl"):
        text = "".join(piece[0] for piece in sample["pieces"])
        print(f"-- step {sample['step']:,}, temperature {sample['temperature']}\n{text}")


def journal(path: Path) -> list[dict[str, object]]:
    """The records of a journal."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="the seed experiment beside the defaults")
    parser.add_argument("text")
    parser.add_argument("--minutes", type=float, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    main()
