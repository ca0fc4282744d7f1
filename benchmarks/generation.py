"""Characters a second: our generation, its limit, and a plain torch loop, side by side.

    python benchmarks/generation.py                  # about five minutes
    python benchmarks/generation.py --threads 2      # NumPy on two threads
    python benchmarks/generation.py --run checkpoints/mujeong --characters 1000000

Per size and batch the contestants take many short turns, each behind some steps that are not timed
and bring its own weights into the caches; printed is the rate that a tenth of the turns surpass, so
that turns which neighbours on the machine disturbed fall away.
"bare products" are the matrix products of one token in float32 and nothing else, on the same
weights as they are saved, "laid out" as generation lays them out; the faster of the two is the
limit. "stepper" adds the equations around them, "generate" all that a text needs: masks,
temperature, drawing, decoding. "bf16" is the same with products in bfloat16, where numkong is
installed. "torch" is the loop found in many repositories: embedding, nn.LSTM, linear, softmax,
multinomial. "prompt" is reading: the prompt of a text, on the same weights, against "generate" of
the same precision. Weights are random; a token is a character here.

With --run it measures that run instead: what bfloat16 costs in bits per character of its held-out
text; how long it takes to the first character, beside `import torch`; its network alone and with
its n-gram model, in turn; then one long text, or with --samples some, written by `charnn generate`
in a process of its own: seconds of each 100,000 characters as they come out of the pipe, to the
first, and the largest memory that the process has held.

NumPy runs on one thread unless told otherwise: on two, OpenBLAS waits busily, and any other process
on the machine makes each product up to a hundred times slower.
"""

import argparse
import codecs
import importlib.util
import itertools
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from charnn.corpus.arithmetic import Encoder
from charnn.corpus.tokenizers import Tokenizer, train_tokenizer
from charnn.generation.coding import ExpertPredictor, encode_on
from charnn.generation.loading import load_writer
from charnn.generation.sampler import SamplingOptions, read_prompt, sample_text, sample_texts
from charnn.model.expert import Expert
from charnn.model.language_model import LanguageModel
from charnn.model.shapes import ModelShape
from charnn.model.stepper import Stepper
from charnn.runs.run import Run
from charnn.training.saved import stream_of

SIZES = ((1, 512), (2, 512))
BATCHES = (1, 64)
TEMPERATURE = 0.8
THREADS = "OPENBLAS_NUM_THREADS"
PROMPT = 2000  # characters
WARM_UP = 3  # steps, or texts, before each turn
TENTH = 100_000
HELD_OUT = 40_000  # tokens
STARTS = 7
HALF = importlib.util.find_spec("numkong") is not None


def korean_tokenizer() -> Tokenizer:
    """A char tokenizer of about 1,700 tokens, as a novel gives."""
    syllables = "".join(chr(0xAC00 + 7 * index) for index in range(1400))
    return train_tokenizer("char", lambda: [syllables * 20])


def random_model(shape: ModelShape, tokenizer: Tokenizer) -> LanguageModel:
    """A network that, like a trained one, hardly ever spells a character out in parts."""
    model = LanguageModel(shape, generator=torch.Generator().manual_seed(0)).eval()
    parts = [t for t in range(shape.vocab_size) if tokenizer.token_string(t) is None]
    with torch.no_grad():
        model.output.bias[parts] = -20.0
    return model


def bare_products(model: LanguageModel, batch: int, *, laid_out: bool = False) -> Callable[[], int]:
    """One token's matrix products in every row."""
    arrays = {name: weight.numpy() for name, weight in model.state_dict().items()}
    matrices = [arrays["layers.0.weight_hh_l0"]]
    for layer in range(1, model.shape.num_layers):
        matrices += [arrays[f"layers.{layer}.weight_{side}_l0"] for side in ("ih", "hh")]
    if model.shape.feed_forward_size:
        matrices += [arrays[f"feed_forward.{part}.weight"] for part in ("inner", "outer")]
    matrices.append(arrays["embedding.weight"])
    random = np.random.default_rng(0)
    inputs = [random.normal(size=(batch, m.shape[1])).astype(np.float32) for m in matrices]
    columns = [np.ascontiguousarray(matrix.T) if laid_out else matrix.T for matrix in matrices]
    outputs = [np.empty((batch, len(matrix)), np.float32) for matrix in matrices]

    def run() -> int:
        for x, matrix, output in zip(inputs, columns, outputs, strict=True):
            np.dot(x, matrix, out=output)
        return batch

    return run


def stepper_steps(stepper: Stepper, batch: int) -> Callable[[], int]:
    """Steps of the stepper on random tokens."""
    tokens = np.random.default_rng(0).integers(0, stepper.vocab_size, (997, batch))
    stepper.read(np.arange(stepper.vocab_size), stepper.initial_state(1))  # every row of its table
    states = [stepper.initial_state(batch)]
    turns = itertools.cycle(tokens)

    def run() -> int:
        _, states[0] = stepper.step(next(turns), states[0])
        return batch

    return run


def generated(stepper: Expert, tokenizer: Tokenizer, batch: int) -> Callable[[], int]:
    """Whole generation; many samples are counted by the text."""

    def endless() -> Iterator[int]:
        options = SamplingOptions(temperature=TEMPERATURE, length=10**9 if batch == 1 else 100)
        for seed in itertools.count():
            if batch == 1:
                for piece in sample_text(stepper, tokenizer, "", options, seed):
                    yield len(piece.text)
            else:
                texts = list(sample_texts(stepper, tokenizer, "", options, seed, batch))
                yield sum(len(piece.text) for pieces in texts for piece in pieces)

    writing = endless()
    return lambda: next(writing)


def prompt_reading(stepper: Stepper, tokenizer: Tokenizer) -> Callable[[], int]:
    """Reading of a prompt of characters that the tokenizer knows."""
    known = [tokenizer.token_string(token) for token in range(tokenizer.vocab_size)]
    letters = [text for text in known if text is not None and len(text) == 1]
    chosen = np.random.default_rng(0).integers(0, len(letters), PROMPT)
    prompt = "".join(letters[index] for index in chosen)

    def run() -> int:
        read_prompt(stepper, tokenizer, prompt)
        return len(prompt)

    return run


def torch_loop(model: LanguageModel, batch: int, threads: int) -> Callable[[], int]:
    """The plain loop; the layers' own modules in one nn.LSTM."""
    shape = model.shape
    lstm = torch.nn.LSTM(shape.embedding_size, shape.hidden_size, shape.num_layers)
    for layer, module in enumerate(model.layers):
        for name, weight in module.named_parameters():
            getattr(lstm, name.replace("l0", f"l{layer}")).data.copy_(weight.data)
    state = tuple(torch.zeros(shape.num_layers, batch, shape.hidden_size) for _ in range(2))
    token = torch.zeros(batch, dtype=torch.long)
    vectors, bias = model.embedding.matrix().detach().clone(), model.output.bias.detach()

    @torch.no_grad()
    def run() -> int:
        nonlocal state, token
        torch.set_num_threads(threads)
        for _ in range(10):
            output, state = lstm(torch.nn.functional.embedding(token, vectors)[None], state)
            if shape.feed_forward_size:
                output = model.feed_forward(output)
            logits = torch.nn.functional.linear(output[0], vectors, bias)
            probs = torch.softmax(logits / TEMPERATURE, dim=-1)
            token = torch.multinomial(probs, 1)[:, 0]
            token.tolist()  # what a loop needs to show the text
        return 10 * batch

    return run


def rate(run: Callable[[], int], seconds: float) -> float:
    """Characters a second over so many seconds."""
    characters, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        characters += run()
    return characters / elapsed


def measure(
    contestants: dict[str, Callable[[], int]], seconds: float, rounds: int
) -> dict[str, float]:
    """The rate of each that a tenth of its turns surpass; they take turns in any order."""
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    order = random.Random(0)
    for _ in range(rounds):
        for name in order.sample(list(contestants), len(contestants)):
            for _ in range(WARM_UP):
                contestants[name]()
            rates[name].append(rate(contestants[name], seconds))
    return {name: float(np.quantile(measured, 0.9)) for name, measured in rates.items()}


def _bits(expert: Expert, tokens: NDArray[np.integer]) -> float:
    """What tokens cost an expert that reads them one by one."""
    return float(encode_on(Encoder(), ExpertPredictor(expert), tokens).sum())


def print_precisions(path: Path) -> None:
    """What products in bfloat16 cost, in bits per character of text that was not trained on."""
    print("| bits/char of held-out tokens | tokens | fp32 | bf16 | more |")
    print("|---|---|---|---|---|")
    run = Run(path)
    stream = stream_of(run)
    tokens = stream.part("test") if len(stream.part("test")) else stream.part("validation")
    tokens = tokens[:HELD_OUT]
    characters = int(stream.tokenizer.token_characters[tokens].sum(dtype=np.int64))
    for with_ngram in (False, True):
        exact, rounded = (
            _bits(load_writer(run, with_ngram=with_ngram, precision=name).expert, tokens)
            / characters
            for name in ("fp32", "bf16")
        )
        who = "network and n-gram" if with_ngram else "network"
        more = rounded / exact - 1
        print(f"| {who} | {len(tokens):,} | {exact:.5f} | {rounded:.5f} | {more:+.3%} |")
    print(flush=True)


def print_start(run: Path) -> None:
    """Seconds to the first character, and to torch being imported, in turns."""
    commands = {
        "import torch": ["-c", "import torch; print()"],
        "generate -n 1": ["-m", "charnn", "generate", "--no-prompt", "-n", "1", "-m", str(run)],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(STARTS):
        for name, arguments in commands.items():
            began = time.perf_counter()
            with subprocess.Popen(
                [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            ) as process:
                if process.stdout is None or not process.stdout.read(1):
                    raise SystemExit(f"{name} wrote nothing")
                seconds[name].append(time.perf_counter() - began)
    torch_s, first_s = (statistics.median(seconds[name]) for name in commands)
    print(
        f"first character after {first_s:.2f} s ({min(seconds['generate -n 1']):.2f} to "
        f"{max(seconds['generate -n 1']):.2f}), import torch {torch_s:.2f} s: "
        f"{first_s / torch_s:.2f} of it\n",
        flush=True,
    )


def print_experts(path: Path, precision: str, seconds: float, rounds: int) -> None:
    """What a run's n-gram model adds to the time of writing."""
    alone, both = (
        load_writer(Run(path), with_ngram=with_ngram, precision=precision)
        for with_ngram in (False, True)
    )
    print(f"| at once, {alone.precision} | network, characters/s | with n-gram | more time |")
    print("|---|---|---|---|")
    for batch in BATCHES:
        rates = measure(
            {
                "network": generated(alone.expert, alone.tokenizer, batch),
                "both": generated(both.expert, both.tokenizer, batch),
            },
            seconds,
            rounds,
        )
        more = rates["network"] / rates["both"] - 1
        print(f"| {batch} | {rates['network']:,.0f} | {rates['both']:,.0f} | {more:+.0%} |")
    print(flush=True)


def print_long_text(run: Path, precision: str, characters: int, samples: int) -> None:
    """Write one long text, or some, in a process of its own, and print how that goes."""
    command = [sys.executable, "-m", "charnn", "generate", "--no-prompt", "--seed", "1"]
    command += ["--precision", precision, "--num-samples", str(samples)]
    began = time.perf_counter()
    with subprocess.Popen(
        [*command, "-m", str(run), "-n", str(characters)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        if process.stdout is None:
            raise SystemExit("the process has no stdout")
        print("| characters | seconds of the last 100,000 | characters/s | peak memory |")
        print("|---|---|---|---|")
        written, last = 0, began
        decoder = codecs.getincrementaldecoder("utf-8")()
        while data := process.stdout.read1(1 << 16):
            now = time.perf_counter()
            before = written
            written += len(decoder.decode(data))
            if before == 0:
                print(f"| first | {now - began:.2f} from the start of the process | | |")
            if written // TENTH > before // TENTH:
                rate = TENTH / (now - last)
                memory = peak_memory(process.pid)
                print(f"| {written:,} | {now - last:.1f} | {rate:,.0f} | {memory} |", flush=True)
                last = now
    print(f"\nexit code {process.returncode}; files that are loaded: {file_sizes(run):.1f} MiB")


def peak_memory(pid: int) -> str:
    """The most memory that a process has held since it began; told by Linux alone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        return next(f"{int(line.split()[1]) / 1024:.0f} MiB" for line in lines if "VmHWM" in line)
    except (OSError, StopIteration):
        return "not known"


def file_sizes(run: Path) -> float:
    """MiB of the files a run writes with: weights, and the n-gram model if there is one."""
    slot = run / ("best" if (run / "best").exists() else "last")
    weights = (slot / "weights.safetensors").stat().st_size
    return (weights + sum(path.stat().st_size for path in run.glob("ngram*"))) / 2**20


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def print_head() -> None:
    """Machine, versions and command."""
    print(f"# {processor()}, {os.cpu_count()} cores, {platform.system()}")
    print(
        f"# Python {platform.python_version()}, NumPy {np.__version__}, torch {torch.__version__}"
    )
    print(f"# python {' '.join(sys.argv)}  (NumPy threads: {os.environ[THREADS]})")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description="Characters a second of generation.")
    parser.add_argument("--seconds", type=float, default=0.03, help="of one turn")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1, help="of NumPy")
    parser.add_argument("--block", type=float, default=1.5, help="its units to one of a layer")
    parser.add_argument("--run", type=Path, help="measure one long text of this run instead")
    parser.add_argument("--characters", type=int, default=10 * TENTH, help="of each text")
    parser.add_argument("--samples", type=int, default=1, help="how many texts, side by side")
    parser.add_argument("--precision", default="auto", help="auto, fp32 or bf16, with --run")
    given = parser.parse_args()
    if os.environ.get(THREADS) != str(given.threads):  # it is read when NumPy is loaded
        os.execve(
            sys.executable, [sys.executable, *sys.argv], {**os.environ, THREADS: str(given.threads)}
        )
    print_head()
    if given.run is not None:
        if HALF:
            print_precisions(given.run)
        print_start(given.run)
        print_experts(given.run, given.precision, given.seconds, given.rounds)
        print_long_text(given.run, given.precision, given.characters, given.samples)
        return
    tokenizer = korean_tokenizer()
    print("| network | at once | what | characters/s | of the bare products | of torch |")
    print("|---|---|---|---|---|---|")
    for (layers, hidden), batch in itertools.product(SIZES, BATCHES):
        sizes = (tokenizer.vocab_size, hidden, hidden, layers, "lstm")
        shape = ModelShape(*sizes, feed_forward_size=round(given.block * hidden))
        model = random_model(shape, tokenizer)
        kept = {name: w.numpy() for name, w in model.state_dict().items()}
        contestants = {
            "bare products": bare_products(model, batch),
            "bare products, laid out": bare_products(model, batch, laid_out=True),
        }
        for ending in ("", ", bf16") if HALF else ("",):
            weights = {name: weight.copy() for name, weight in kept.items()}
            stepper = Stepper(shape, weights, own=not ending, bf16=bool(ending))
            contestants[f"stepper{ending}"] = stepper_steps(stepper, batch)
            contestants[f"generate{ending}"] = generated(stepper, tokenizer, batch)
            if batch == 1:
                contestants[f"prompt{ending}"] = prompt_reading(stepper, tokenizer)
        contestants |= {
            "torch, 1 thread": torch_loop(model, batch, 1),
            "torch, 2 threads": torch_loop(model, batch, 2),
        }
        rounds = given.rounds if batch == 1 else max(1, given.rounds // 4)  # of long turns
        rates = measure(contestants, given.seconds, rounds)
        fastest = max(value for name, value in rates.items() if name.startswith("torch"))
        bare = max(value for name, value in rates.items() if name.startswith("bare"))
        for name, value in rates.items():
            limit = f"{value / bare:.2f} ({bare / value:.2f}x time)"
            print(
                f"| {shape}, V {shape.vocab_size:,} | {batch} | {name} "
                f"| {value:,.0f} | {limit} | {value / fastest:.1f}x |",
                flush=True,
            )


if __name__ == "__main__":
    main()
