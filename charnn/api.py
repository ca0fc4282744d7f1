"""charnn from Python: the same house as the command line, by its other door.

    model = charnn.train("corpora/mujeong.txt", minutes=5)
    print(model.generate("형식은", temperature=0.8))
    charnn.load("mujeong").evaluate().score.bits_per_char

Importing this imports neither torch nor NumPy; each function brings what it needs.
"""

import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charnn.records import Control, Record

if TYPE_CHECKING:
    from charnn.generation.copies import CopyIndex
    from charnn.generation.loading import Writer
    from charnn.generation.sampler import SamplingOptions, Start, TextPiece
    from charnn.generation.story import Story
    from charnn.runs.catalog import RunSummary
    from charnn.runs.run import Run
    from charnn.training.samples import SampleReport
    from charnn.training.scoring import Evaluation

StrPath = str | os.PathLike[str]
DEFAULT_CHECKPOINTS = "checkpoints"
_LARGEST_SEED = 2**32
_WITH_RESUME = ("sample_every", "sample_length", "temps", "prompt")
_MORE = ("minutes", "epochs", "steps")


class Model:
    """A trained run: writes text and tells what a text costs it.

    What it writes with is read once, at the first use.

    Args:
        run: its folder.
        ngram: whether its n-gram model, if it has one, predicts beside the network.
    """

    def __init__(self, run: "Run", *, ngram: bool = True) -> None:
        self._run = run
        self._with_ngram = ngram
        self._loaded: Writer | None = None
        self._index: CopyIndex | None = None

    def __repr__(self) -> str:
        return f"<charnn model {self.name!r}>"

    @property
    def name(self) -> str:
        """What the run is called."""
        return self._run.name

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self._run.path

    @property
    def writer(self) -> "Writer":
        """The experts and the tokenizer.

        Raises:
            RunError: the run has no checkpoint yet, or is damaged.
        """
        if self._loaded is None:
            from charnn.generation.loading import load_writer

            self._loaded = load_writer(self._run, with_ngram=self._with_ngram)
        return self._loaded

    def adapt(
        self,
        texts: StrPath | Sequence[StrPath],
        *,
        encoding: str | None = None,
        on_record: Callable[[Record], None] | None = None,
    ) -> None:
        """Go on learning from a text before writing; the run itself stays as it is.

        Args:
            texts: files or folders.
            encoding: of the texts; None is UTF-8.
            on_record: told how far it is.

        Raises:
            CharnnError: the text cannot be read, or the run cannot adapt.
        """
        from charnn.training.adapting import adapted_writer
        from charnn.training.saved import Text

        text = Text(_paths(texts), encoding)
        self._loaded = adapted_writer(self._run, text, on_record, with_ngram=self._with_ngram)

    def stream(self, prompt: str = "", *, seed: int | None = None, **options: Any) -> Iterator[str]:
        """Write one text, piece by piece as it is made.

        Args:
            prompt: what the text goes on from; not repeated in what is yielded.
            seed: the same seed writes the same text; None takes a new one.
            options: fields of `SamplingOptions`: temperature, length, top_k, ...

        Yields:
            Pieces of whole characters.

        Raises:
            OptionError: an option breaks its rule.
            RunError: the run has no checkpoint yet, or is damaged.
        """
        checked = _sampling_options(options)
        return (piece.text for piece in self.pieces(prompt, checked, _seed(seed)))

    def generate(self, prompt: str = "", *, seed: int | None = None, **options: Any) -> str:
        """Write one text; see `stream`. The prompt is not repeated."""
        return "".join(self.stream(prompt, seed=seed, **options))

    def generate_many(
        self, num_samples: int, prompt: str = "", *, seed: int | None = None, **options: Any
    ) -> list[str]:
        """Write many texts side by side; the first is what `generate` writes with that seed."""
        checked = _sampling_options(options)
        samples = self.samples(prompt, checked, _seed(seed), num_samples)
        return ["".join(piece.text for piece in pieces) for pieces in samples]

    def story(self, *, seed: int | None = None) -> "Story":
        """A text that you and the model write in turns; what was read is never read again.

        Args:
            seed: the same seed and the same turns make the same text; None takes a new one.

        Raises:
            OptionError: the seed is negative.
            RunError: the run has no checkpoint yet, or is damaged.
        """
        from charnn.generation.story import Story

        _ = self.writer
        return Story(self.read, self.pieces, _seed(seed))

    def read(self, prompt: str, after: "Start | None" = None) -> "Start":
        """Read a prompt once, to write on from it as often as one likes.

        Args:
            prompt: the text to read.
            after: what was read before it; None is the beginning of a document.
        """
        from charnn.generation.sampler import read_prompt

        expert, tokenizer = self.writer[:2]
        return read_prompt(expert, tokenizer, prompt, after)

    def pieces(
        self, prompt: "str | Start", options: "SamplingOptions", seed: int, *, index: int = 0
    ) -> Iterator["TextPiece"]:
        """Sample number `index` of a seed, as pieces with their cost in bits."""
        from charnn.generation.sampler import sample_text

        expert, tokenizer, _ = self.writer
        copies = self._copies(options)
        return sample_text(expert, tokenizer, prompt, options, seed, index=index, copies=copies)

    def together(
        self, prompt: "str | Start", options: "SamplingOptions", seed: int, num_samples: int
    ) -> Iterator[tuple[int, "TextPiece | None"]]:
        """Samples of a seed, written side by side: their pieces as they come, None at an end."""
        from charnn.generation.sampler import sample_together

        expert, tokenizer, _ = self.writer
        copies = self._copies(options)
        return sample_together(expert, tokenizer, prompt, options, seed, num_samples, copies=copies)

    def samples(
        self, prompt: "str | Start", options: "SamplingOptions", seed: int, num_samples: int
    ) -> Iterator[tuple["TextPiece", ...]]:
        """Samples of a seed, written side by side, each as pieces with their cost in bits."""
        from charnn.generation.sampler import sample_texts

        expert, tokenizer, _ = self.writer
        copies = self._copies(options)
        return sample_texts(expert, tokenizer, prompt, options, seed, num_samples, copies=copies)

    def _copies(self, options: "SamplingOptions") -> "CopyIndex | None":
        """The index of the training text, where the options need it."""
        if options.max_copy and self._index is None:
            from charnn.generation.copy_file import load_copies

            self._index = load_copies(self._run)
        return self._index

    def evaluate(
        self,
        texts: StrPath | Sequence[StrPath] | None = None,
        *,
        part: str | None = None,
        encoding: str | None = None,
        document_separator: str | None = None,
        dynamic: bool = False,
        on_record: Callable[[Record], None] | None = None,
    ) -> "Evaluation":
        """What a text costs the model, in nats and in bits per character.

        Args:
            texts: files or folders; None is a part of the run's own text.
            part: "train", "validation" or "test" of the run's own text; None is the test part if
                there is one, else the validation part.
            encoding: of `texts`; None is UTF-8.
            document_separator: cuts each of `texts` into documents.
            dynamic: score it once more with experts that go on learning from what they read.
            on_record: told how far it is.

        Raises:
            CharnnError: the text cannot be read, or the run cannot be used.
        """
        from charnn.training.saved import Text
        from charnn.training.scoring import Manner, score_part, score_text

        manner = Manner(self._with_ngram, dynamic)
        if texts is None:
            return score_part(self._run, part, on_record, manner)
        text = Text(_paths(texts), encoding, document_separator)
        return score_text(self._run, text, on_record, manner)

    def measure_samples(self, *, part: str | None = None, **options: Any) -> "SampleReport":
        """How what the model writes compares with real text: known words, copies, particles.

        Args:
            part: "validation" or "test", where prompts and real text come from; None is the test
                part if there is one.
            options: fields of `charnn.training.samples.SampleOptions`: temperature, length,
                num_samples, seed.

        Raises:
            CharnnError: an option breaks its rule, or the run or its text cannot be used.
        """
        from charnn.training.samples import SampleOptions, measure_samples

        checked = SampleOptions(**_known(options, SampleOptions))
        return measure_samples(self._run, self.writer, checked, part)


def train(
    texts: StrPath | Sequence[StrPath],
    *,
    run: str | None = None,
    checkpoints: StrPath = DEFAULT_CHECKPOINTS,
    init_from: str | None = None,
    encoding: str | None = None,
    document_separator: str | None = None,
    on_record: Callable[[Record], None] | None = None,
    control: Control | None = None,
    clock: Callable[[], float] | None = None,
    **options: Any,
) -> Model:
    """Train a new run on a text and return its model.

    Args:
        texts: files, folders, or "-" for stdin; every file is a document of its own.
        run: what the run is called; None takes the text's name, or the next free one.
        checkpoints: the folder of runs.
        init_from: a run to begin from: its weights, sizes and tokenizer.
        encoding: of the texts; None is UTF-8.
        document_separator: cuts each file into documents.
        on_record: told every record of the training, see `charnn.records`.
        control: to stop or pause it from elsewhere.
        clock: seconds since the whole command began; `minutes` are counted by it.
        options: fields of `charnn.training.options.TrainOptions`: minutes, tokenizer, size, ...

    Raises:
        CharnnError: an option breaks its rule, the text cannot be used, or the run's name is
            taken. Nothing that was there before is changed.
    """
    from charnn.runs.catalog import find_run
    from charnn.training.options import TrainOptions
    from charnn.training.saved import Text
    from charnn.training.session import Callbacks, train_new

    folder = Path(checkpoints)
    trained = train_new(
        Text(_paths(texts), encoding, document_separator),
        TrainOptions(**_known(options, TrainOptions)),
        folder,
        Callbacks(on_record or _ignore, control or Control(), clock or _stopwatch()),
        run_name=run,
        init_from=find_run(folder, init_from) if init_from is not None else None,
        given=options,
    )
    return Model(trained)


def resume(
    run: str | None = None,
    *,
    checkpoints: StrPath = DEFAULT_CHECKPOINTS,
    text: StrPath | None = None,
    threads: int | None = None,
    on_record: Callable[[Record], None] | None = None,
    control: Control | None = None,
    clock: Callable[[], float] | None = None,
    **options: Any,
) -> Model:
    """Go on with a run that was stopped, exactly where its last checkpoint left it.

    A run that has ended takes `minutes`, `epochs` or `steps`: it goes on from its best weights
    with another plan, and keeps what it has learned only where that is better.

    Args:
        run: its name or path; None is the one with the newest checkpoint.
        checkpoints: the folder of runs.
        text: where the text lies now, if it was moved.
        threads: CPU threads from here on; another number than before may round differently.
        on_record: see `train`.
        control: see `train`.
        clock: see `train`.
        options: minutes, epochs or steps of a run that has ended; other values for
            sample_every, sample_length, temps or prompt.

    Raises:
        CharnnError: there is no such run, it has finished, or it is damaged; or something else
            was to be changed.
    """
    from charnn.errors import OptionError
    from charnn.runs.catalog import find_run
    from charnn.training.options import TrainOptions
    from charnn.training.saved import Text
    from charnn.training.session import Callbacks, train_on

    for name in options:
        if name not in _WITH_RESUME + _MORE:
            rule = ", ".join(_WITH_RESUME + _MORE)
            raise OptionError(f"{name} is fixed when a run goes on: it must be one of {rule}")
    TrainOptions(**options)
    resumed = train_on(
        find_run(Path(checkpoints), run),
        Callbacks(on_record or _ignore, control or Control(), clock or _stopwatch()),
        threads=threads,
        sampling={name: value for name, value in options.items() if name in _WITH_RESUME},
        text=Text(_paths(text)) if text is not None else None,
        budget={name: value for name, value in options.items() if name in _MORE},
    )
    return Model(resumed)


def load(
    run: StrPath | None = None,
    *,
    checkpoints: StrPath = DEFAULT_CHECKPOINTS,
    ngram: bool = True,
) -> Model:
    """The model of a run.

    Args:
        run: its name in `checkpoints`, or a path; None is the one with the newest checkpoint.
        checkpoints: the folder of runs.
        ngram: whether its n-gram model, if it has one, predicts beside the network.

    Raises:
        RunNotFoundError: there is none; the message says which there are.
    """
    from charnn.runs.catalog import find_run

    return Model(find_run(Path(checkpoints), run), ngram=ngram)


def list_runs(checkpoints: StrPath = DEFAULT_CHECKPOINTS) -> list["RunSummary"]:
    """All runs in a folder, the newest first; a damaged one is listed as such."""
    from charnn.runs import catalog

    return catalog.list_runs(Path(checkpoints))


def _paths(texts: StrPath | Sequence[StrPath]) -> tuple[str, ...]:
    if isinstance(texts, str | os.PathLike):
        return (os.fspath(texts),)
    return tuple(os.fspath(text) for text in texts)


def _sampling_options(options: dict[str, Any]) -> "SamplingOptions":
    from charnn.generation.sampler import SamplingOptions

    return SamplingOptions(**_known(options, SamplingOptions))


def _known(options: dict[str, Any], kind: type[Any]) -> dict[str, Any]:
    """The options, if there are such.

    Raises:
        OptionError: one of them is unknown.
    """
    from dataclasses import fields

    from charnn.errors import OptionError

    names = [field.name for field in fields(kind)]
    for name in options:
        if name not in names:
            raise OptionError(f"there is no option {name!r}: it must be one of {', '.join(names)}")
    return options


def new_seed() -> int:
    """A seed nobody chose."""
    return secrets.randbelow(_LARGEST_SEED)


def _seed(seed: int | None) -> int:
    return new_seed() if seed is None else seed


def _stopwatch() -> Callable[[], float]:
    began = time.monotonic()
    return lambda: time.monotonic() - began


def _ignore(_: Record) -> None:
    return None
