"""Whether the text of a run is still the one that it was begun with."""

import hashlib
import json
from collections.abc import Callable, Sequence

from charnn.errors import OptionError, TextError
from charnn.records import Preparing
from charnn.runs.config import RunConfig
from charnn.runs.run import Run
from charnn.text.files import find_files, shown_path
from charnn.text.reading import Survey, open_texts

_SUFFIXES = (".txt",)


def looks_of(paths: Sequence[str]) -> str | None:
    """A digest of the files' names, sizes and times; None where they can be read only once.

    Raises:
        TextError: one of them is not there.
    """
    files = find_files(list(paths), _SUFFIXES)
    if any(file.reads_once for file in files):
        return None
    seen = [(str(file.path), file.size, file.changed) for file in files]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()


def reading_once(paths: Sequence[str]) -> str | None:
    """The first file behind paths that can be read only once, and perhaps never to an end.

    Raises:
        TextError: one of them is not there.
    """
    return next(
        (file.shown for file in find_files(list(paths), _SUFFIXES) if file.reads_once), None
    )


def notice_change(
    run: Run,
    config: RunConfig,
    moved: Sequence[str] | None,
    on_progress: Callable[[Preparing], None],
) -> str | None:
    """What has become of a run's text, in a sentence; None if it is as it was.

    Only where the files look different is the text read.

    Args:
        run: the run, whose tokens are kept.
        config: of the run.
        moved: where somebody says that the text lies now.
        on_progress: told how much of it has been read.

    Raises:
        TextError: what lies there is another text.
    """
    corpus = config.corpus
    if moved is not None:
        survey = _survey(moved, config, on_progress)
        if survey.sha256 != corpus.get("sha256"):
            raise TextError(
                f"{shown_path(moved[0])} is not the text of run {run.name}: leave --text out to go "
                "on with the tokens that are kept of it, or start a new run on the other text"
            )
        return None
    paths = [str(path) for path in corpus.get("paths") or ()]
    if not paths or "-" in paths:
        return None
    kept = "going on with the tokens that are kept of it"
    try:
        looks = looks_of(paths)
        if looks is None or looks == corpus.get("looks"):
            return None
        survey = _survey(paths, config, on_progress)
    except (TextError, OptionError) as error:
        reason = str(error).partition(":")[0]
        return f"the text of this run cannot be read any more ({reason}): {kept}"
    if survey.sha256 == corpus.get("sha256"):
        return None
    before = corpus.get("characters")
    was = f"from {before:,} to" if before is not None else "it has now"
    return (
        f"the text has changed since this run was begun, {was} {survey.characters:,} characters: "
        f"{kept} as it was; to learn the new one start a new run"
    )


def _survey(
    paths: Sequence[str], config: RunConfig, on_progress: Callable[[Preparing], None]
) -> Survey:
    corpus = config.corpus
    with open_texts(
        list(paths),
        encoding=corpus.get("encoding"),
        document_separator=corpus.get("document_separator"),
    ) as source:
        return source.survey(
            lambda done, total: on_progress(Preparing("reading", done, total, "bytes"))
        )
