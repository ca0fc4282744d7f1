"""A trained run in use: it writes, and tells what a text costs it. Training is elsewhere."""

import copy
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charnn.api.arguments import StrPath, known, paths, seed_or_new
from charnn.errors import OptionError
from charnn.records import Record

if TYPE_CHECKING:
    from charnn.generation.copies import Bits, CopyIndex
    from charnn.generation.loading import Writer
    from charnn.generation.sampler import SamplingOptions, Start, TextPiece
    from charnn.generation.story import Story
    from charnn.runs.run import Run
    from charnn.training.samples import SampleReport
    from charnn.training.scoring import Evaluation


class Model:
    """A trained run: writes text and tells what a text costs it.

    What it writes with is read once, at the first use. A model belongs to one thread at a time: it
    keeps what it has worked out.

    Args:
        run: its folder.
        ngram: whether its n-gram model, if it has one, predicts beside the network.
        precision: "auto", "fp32" or "bf16", of the network's products when it writes.
    """

    def __init__(self, run: "Run", *, ngram: bool = True, precision: str = "auto") -> None:
        self._run = run
        self._with_ngram = ngram
        self._precision = precision
        self._loaded: Writer | None = None
        self._index: CopyIndex | None = None
        self._adapted: Bits | None = None  # the index of the text that it adapted to

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

            self._loaded = load_writer(
                self._run, with_ngram=self._with_ngram, precision=self._precision
            )
        return self._loaded

    def adapt(
        self,
        texts: StrPath | Sequence[StrPath],
        *,
        encoding: str | None = None,
        on_record: Callable[[Record], None] | None = None,
    ) -> None:
        """Go on learning from a text before writing; the run itself stays as it is.

        A second call begins from the run again. A story goes on with what it was begun with, and
        what `read` has given is of what wrote then.

        Args:
            texts: files or folders.
            encoding: of the texts; None is UTF-8.
            on_record: told how far it is.

        Raises:
            CharnnError: the text cannot be read, or the run cannot adapt.
        """
        from charnn.training.adapting import adapted_writer
        from charnn.training.texts import Text

        text = Text(paths(texts), encoding)
        adapted = adapted_writer(
            self._run, text, on_record, with_ngram=self._with_ngram, precision=self._precision
        )
        self._loaded, self._adapted, self._index = adapted.writer, adapted.copies, None

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
        return (piece.text for piece in self.pieces(prompt, checked, seed_or_new(seed)))

    def generate(self, prompt: str = "", *, seed: int | None = None, **options: Any) -> str:
        """Write one text; see `stream`. The prompt is not repeated."""
        return "".join(self.stream(prompt, seed=seed, **options))

    def generate_many(
        self, num_samples: int, prompt: str = "", *, seed: int | None = None, **options: Any
    ) -> list[str]:
        """Write many texts side by side; the first is what `generate` writes with that seed."""
        checked = _sampling_options(options)
        samples = self.samples(prompt, checked, seed_or_new(seed), num_samples)
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
        now = copy.copy(self)  # whatever is read later
        return Story(now.read, now.pieces, seed_or_new(seed))

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

        expert, tokenizer = self.writer[:2]
        copies = self._copies(options)
        return sample_text(expert, tokenizer, prompt, options, seed, index=index, copies=copies)

    def together(
        self, prompt: "str | Start", options: "SamplingOptions", seed: int, num_samples: int
    ) -> Iterator[tuple[int, "TextPiece | None"]]:
        """Samples of a seed, written side by side: their pieces as they come, None at an end."""
        from charnn.generation.sampler import sample_together

        expert, tokenizer = self.writer[:2]
        copies = self._copies(options)
        return sample_together(expert, tokenizer, prompt, options, seed, num_samples, copies=copies)

    def samples(
        self, prompt: "str | Start", options: "SamplingOptions", seed: int, num_samples: int
    ) -> Iterator[tuple["TextPiece", ...]]:
        """Samples of a seed, written side by side, each as pieces with their cost in bits."""
        from charnn.generation.sampler import sample_texts

        expert, tokenizer = self.writer[:2]
        copies = self._copies(options)
        return sample_texts(expert, tokenizer, prompt, options, seed, num_samples, copies=copies)

    def _copies(self, options: "SamplingOptions") -> "CopyIndex | None":
        """The index of all it has read, where the options need it."""
        if options.max_copy and self._index is None:
            from charnn.generation.copies import CopyIndex
            from charnn.generation.copy_file import load_copies

            read = () if self._adapted is None else (self._adapted,)
            self._index = CopyIndex([*load_copies(self._run).tables, *read])
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
        """What a text costs the run, in nats and in bits per character.

        What `adapt` has read is not in it.

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
        from charnn.training.scoring import Manner, score_part, score_text
        from charnn.training.texts import Text

        if texts is not None and part is not None:
            raise OptionError(f"part is of the run's own text, got {part!r} with texts")
        if texts is None and (encoding is not None or document_separator is not None):
            raise OptionError("encoding and document_separator are for texts: name some")
        manner = Manner(self._with_ngram, dynamic)
        if texts is None:
            return score_part(self._run, part, on_record, manner)
        text = Text(paths(texts), encoding, document_separator)
        return score_text(self._run, text, on_record, manner)

    def measure_samples(self, *, part: str | None = None, **options: Any) -> "SampleReport":
        """How what the model writes compares with real text: known words, copies, particles.

        It writes in single precision, whatever the model was loaded with, so that numbers can be
        compared between machines, and as the run is: what `adapt` has read is not in it.

        Args:
            part: "validation" or "test", where prompts and real text come from; None is the test
                part if there is one.
            options: fields of `charnn.training.samples.SampleOptions`: temperature, length,
                num_samples, seed.

        Raises:
            CharnnError: an option breaks its rule, or the run or its text cannot be used.
        """
        from charnn.generation.loading import load_writer
        from charnn.training.samples import SampleOptions, measure_samples

        checked = SampleOptions(**known(options, SampleOptions))
        writer = load_writer(self._run, with_ngram=self._with_ngram, precision="fp32")
        return measure_samples(self._run, writer, checked, part)


def _sampling_options(options: dict[str, Any]) -> "SamplingOptions":
    from charnn.generation.sampler import SamplingOptions

    return SamplingOptions(**known(options, SamplingOptions))
