"""`charnn corpus clean`: repairs of a text, into a new file, each told with counts and examples."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charnn.cli.as_json import show_json
from charnn.cli.options import config_option
from charnn.cli.saying import say
from charnn.errors import OptionError

if TYPE_CHECKING:
    from charnn.text.clean.cleaning import Report
    from charnn.text.clean.streams import Example, Tally

_EXAMPLES = 3
_IN_JSON = 20
_ONE_OF = {
    "newlines": "line ends made LF",
    "controls": "control characters and unseen marks removed",
    "hanyang": "runs of Hanyang private use made jamo",
    "half_width": "full-width characters made common ones",
    "hanja": "compatibility Hanja unified",
    "nfc_hangul": "jamo sequences joined to syllables",
    "nfc": "sequences normalised to NFC",
    "glosses": "Hanja glosses",
    "trailing_spaces": "line ends freed from spaces",
    "page_lines": "page numbers and headers removed",
    "blank_lines": "runs of blank lines made one",
}
_LEFT = {
    "hanyang": "characters of Hanyang private use not converted",
    "glosses": "glosses left as they are",
    "page_lines": "numbers alone on a line left: they may be chapters",
}


@click.command(context_settings={"show_default": False})
@click.argument("source", metavar="IN")
@click.option("-o", "--output", metavar="OUT", help="The new file, in UTF-8; never overwritten.")
@click.option("--dry-run", is_flag=True, help="Tell what would be done; write nothing.")
@click.option(
    "--encoding",
    metavar="NAME|auto",
    help="Of IN, such as cp949; auto finds it out and tells. Default: UTF-8.",
)
@click.option("--newlines", is_flag=True, help="CRLF and CR to LF.")
@click.option("--controls", is_flag=True, help="Remove control and unseen characters.")
@click.option("--hanyang", is_flag=True, help="Old Hangul in private use to jamo.")
@click.option("--half-width", is_flag=True, help="Full-width Latin, digits, signs to common ones.")
@click.option("--hanja", is_flag=True, help="Compatibility Hanja to unified ones.")
@click.option("--nfc-hangul", is_flag=True, help="Join jamo to syllables; nothing else.")
@click.option("--nfc", is_flag=True, help="All of Unicode NFC; changes Hanja too.")
@click.option("--glosses", metavar="keep|drop|swap", help="What to do with 선형(善馨).")
@click.option("--trailing-spaces", is_flag=True, help="Remove spaces before line ends.")
@click.option("--page-lines", is_flag=True, help="Remove page numbers and running headers.")
@click.option("--blank-lines", is_flag=True, help="Several blank lines to one.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    envvar="CHARNN_CORPUS_CLEAN_JSON",
    help="The report as a JSON object on stdout.",
)
@config_option
def command(
    source: str,
    output: str | None,
    dry_run: bool,
    encoding: str | None,
    as_json: bool,
    **wanted: Any,
) -> None:
    """Write a repaired copy of IN, a file or - for stdin. Only what is asked for is done.

    Each repair is told with its count and examples. --dry-run without a repair tells what every
    one of them would find.
    """
    from charnn.text.clean.cleaning import ALL_REPAIRS, Repairs, clean

    repairs = Repairs(**{name: value for name, value in wanted.items() if value})
    if dry_run == (output is not None):
        raise OptionError("clean needs either -o OUT or --dry-run: name the new file")
    if not repairs.names and dry_run:
        repairs = ALL_REPAIRS
    if not repairs.names and encoding is None:
        raise OptionError(
            "clean needs a repair such as --newlines or --nfc-hangul: "
            "--dry-run tells what there is to repair"
        )
    report = clean(source, None if dry_run else output, repairs, encoding=encoding)
    if as_json:
        show_json(_as_json(report, output), indent=1)
        return
    for line in _told(report, output):
        say(line, err=True)


def _told(report: "Report", output: str | None) -> Iterator[str]:
    """The report in lines."""
    mark = ", without its byte order mark" if report.byte_order_mark else ""
    yield f"{report.source}: {report.characters_before:,} characters of {report.encoding}{mark}"
    for name, tally in report.tallies.items():
        option = f"--{name.replace('_', '-')}"
        for line in _lines_of(name, tally):
            yield f"  {option:<17} {line}"
    if output is None:
        yield f"nothing written; it would have {report.characters_after:,} characters"
    else:
        yield f"{Path(output)}: {report.characters_after:,} characters"


def _lines_of(name: str, tally: "Tally") -> Iterator[str]:
    examples = _shown(tally.examples(_EXAMPLES))
    if tally.count or not tally.left:
        yield f"{tally.count:>9,}  {_ONE_OF[name]}" + (f": {examples}" if examples else "")
    if tally.left:
        yield f"{tally.left:>9,}  {_LEFT[name]}: {_shown(tally.examples_left(_EXAMPLES))}"
        if name == "hanyang" and not _converts_hanyang():
            yield "           to convert them: pip install 'charnn[hanyang]'"


def _converts_hanyang() -> bool:
    from charnn.text.clean.characters import hanyang_is_known

    return hanyang_is_known()


def _shown(examples: "list[Example]") -> str:
    return ", ".join(_example(*example) for example in examples)


def _example(before: str, after: str, times: int) -> str:
    """One kind of change on one line."""
    often = f" ({times:,}x)" if times > 1 else ""
    if before == after:
        return _spelled(before) + often
    return f"{_spelled(before)} → {_spelled(after) if after else 'nothing'}{often}"


def _spelled(text: str) -> str:
    """A text, and its code points where it is short and looks like another, or like nothing.

    >>> _spelled("선형(善馨)"), _spelled(chr(0)), _spelled(chr(0xE0BC)), _spelled(4 * " ")
    ('선형(善馨)', 'U+0000', 'U+E0BC', '4 spaces')
    """
    from charnn.text.clean.characters import COMPATIBILITY_HANJA, HANYANG

    codes = " ".join(f"U+{ord(character):04X}" for character in text)
    if len(text) > 3:
        return text.strip() or f"{len(text)} spaces"
    if not text.isprintable() or text.isspace() or HANYANG.search(text):
        return codes
    telling = COMPATIBILITY_HANJA.search(text) or any(0x1100 <= ord(c) <= 0x11FF for c in text)
    return f"{text} {codes}" if telling else text


def _as_json(report: "Report", output: str | None) -> dict[str, Any]:
    return {
        "source": report.source,
        "output": output,
        "encoding": report.encoding,
        "byte_order_mark": report.byte_order_mark,
        "characters_before": report.characters_before,
        "characters_after": report.characters_after,
        "repairs": {
            name: {
                "count": tally.count,
                "left": tally.left,
                "examples": _examples(tally.examples(_IN_JSON)),
                "examples_left": _examples(tally.examples_left(_IN_JSON)),
            }
            for name, tally in report.tallies.items()
        },
    }


def _examples(examples: "list[Example]") -> list[dict[str, Any]]:
    return [
        {"before": example.before, "after": example.after, "count": example.times}
        for example in examples
    ]
