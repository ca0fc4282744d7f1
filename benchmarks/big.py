"""A text that is larger than memory should be: preparation, disk, and the memory it takes.

    python benchmarks/big.py --gigabytes 5 --steps 50

Writes a text of that size into a temporary folder (a novel over and over, every line numbered, so
that no two are alike), trains on it for a few steps, and prints how fast it was prepared (in CPU
time too, for a machine that others share), what the stream takes on the disk, and the largest
anonymous memory of the process (pages mapped from files apart, from /proc; Linux only).
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import heading
from texts import find_text

LINES = 20_000


def main() -> None:
    """Write the text, train on it, and print what that took."""
    options = _arguments()
    print(heading())
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        text = folder / "big.txt"
        write_text(text, find_text(options.text), int(options.gigabytes * 1e9))
        size = text.stat().st_size
        prepared, cpu, whole, peak = train(text, folder / "checkpoints", options.steps)
        streams = sum(p.stat().st_size for p in (folder / "checkpoints" / ".streams").rglob("*"))
        print(f"text                {size / 1e9:8.2f} GB")
        print(f"prepared in         {prepared:8.1f} s   ({size / prepared / 1e6:.0f} MB/s)")
        print(f"CPU time of that    {cpu:8.1f} s   ({size / cpu / 1e6:.0f} MB/s)")
        print(f"stream on the disk  {streams / 1e9:8.2f} GB")
        print(f"anonymous memory    {peak / 1e6:8.0f} MB at its peak")
        print(f"{options.steps} steps and all   {whole:8.1f} s")


def write_text(path: Path, novel: Path, size: int) -> None:
    """The novel again and again, each line with its number, up to so many bytes."""
    lines = novel.read_text("utf-8-sig").splitlines()
    number = written = 0
    with path.open("w", encoding="utf-8") as file:
        while written < size:
            chunk = [f"{number + i} {lines[(number + i) % len(lines)]}\n" for i in range(LINES)]
            number += LINES
            text = "".join(chunk)
            file.write(text)
            written += len(text.encode())


def train(text: Path, checkpoints: Path, steps: int) -> tuple[float, float, float, int]:
    """Seconds and CPU seconds until the run is there, seconds in all, anonymous memory in bytes."""
    command = [sys.executable, "-m", "charnn", "train", str(text), "--steps", str(steps)]
    command += ["--checkpoints", str(checkpoints), "--ui", "none", "--sample-length", "20"]
    began, prepared, cpu, peak = time.monotonic(), 0.0, 0.0, 0
    process = subprocess.Popen(command)
    while process.poll() is None:
        peak = max(peak, anonymous_memory(process.pid))
        if not prepared and (checkpoints / "big").exists():
            prepared, cpu = time.monotonic() - began, cpu_seconds(process.pid)
        time.sleep(0.05)
    if process.returncode:
        sys.exit(f"charnn train ended with {process.returncode}")
    return prepared, cpu, time.monotonic() - began, peak


def cpu_seconds(pid: int) -> float:
    """What a process has spent so far."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def anonymous_memory(pid: int) -> int:
    """Bytes of a process that no file stands behind; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon")), 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="preparing a large text")
    parser.add_argument("--gigabytes", type=float, default=5)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--text", default="mujeong.txt")
    parser.add_argument("--folder", default=os.environ.get("TMPDIR"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
