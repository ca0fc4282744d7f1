"""What is in a text, as a JSON object."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from charnn.text.classes import Composition, Counted, Sort
from charnn.text.findings import findings
from charnn.text.gathering import FileFacts
from charnn.text.inspect import Inspection


def inspection_json(inspection: Inspection) -> dict[str, Any]:
    """All there is of an inspection; shares lie in [0, 1], entropies are bits per character."""
    counts, composition = inspection.counts, inspection.composition
    return {
        "files": [_file(file) for file in inspection.files],
        "encoding": inspection.encoding,
        "certainty": inspection.certainty.value,
        "characters": counts.characters,
        "bytes": sum(file.bytes for file in inspection.files),
        "utf8_bytes": inspection.utf8_bytes,
        "lines": counts.lines,
        "blank_lines": counts.blank_lines,
        "longest_line": counts.longest_line,
        "distinct": inspection.distinct,
        "once": inspection.once,
        "normal_form": inspection.normal_form,
        "nfd_sequences": counts.nfd_sequences,
        **_sorts(composition, counts.characters),
        "frequent_characters": [_counted(one) for one in inspection.characters],
        "sample": {
            "characters": inspection.sample.characters,
            "stretches": len(inspection.sample.texts),
            "whole": inspection.sample.whole,
        },
        **_of_the_sample(inspection),
        "findings": list(findings(inspection)),
    }


def _file(file: FileFacts) -> dict[str, Any]:
    return {
        "name": file.name,
        "bytes": file.bytes,
        "encoding": file.detected.encoding,
        "certainty": file.detected.certainty.value,
        "why": file.detected.why,
        "byte_order_mark": file.byte_order_mark,
        "undecodable_bytes": file.undecodable,
        "first_undecodable": file.detected.first_bad,
        "crlf": file.line_ends.crlf,
        "cr": file.line_ends.cr,
    }


def _sorts(composition: Composition, characters: int) -> dict[str, Any]:
    """What the text is made of: a share for every sort, and by name what people ask for."""
    return {
        "sorts": {
            sort.value: {"count": count, "share": count / max(1, characters)}
            for sort, count in composition.sorts.items()
        },
        "compatibility_hanja": [
            {
                "char": one.char,
                "code_point": _name(one.char),
                "unified": one.unified,
                "unified_code_point": _name(one.unified),
                "count": one.count,
            }
            for one in composition.compatibility_hanja
        ],
        "hanja": composition.count(
            Sort.HANJA,
            Sort.HANJA_EXTENSION_A,
            Sort.HANJA_COMPATIBILITY,
            Sort.HANJA_PLANE_2,
            Sort.HANJA_PLANE_3,
        ),
        "conjoining_jamo": composition.count(Sort.JAMO, Sort.JAMO_OLD),
        "old_jamo": composition.count(Sort.JAMO_OLD, Sort.LETTER_JAMO_OLD),
        "compatibility_jamo": composition.count(Sort.LETTER_JAMO, Sort.LETTER_JAMO_OLD),
        "private_use": composition.count(Sort.HANYANG, Sort.PRIVATE),
        "private_use_hanyang": composition.count(Sort.HANYANG),
        "control_characters": composition.count(Sort.CONTROL),
        "replacement_characters": composition.count(Sort.REPLACEMENT),
        "undecodable_bytes": composition.count(Sort.UNDECODABLE),
        "byte_order_marks": composition.count(Sort.BYTE_ORDER_MARK),
        "zero_width": composition.count(Sort.ZERO_WIDTH),
        "full_width": composition.full_width,
        "quotes": [_counted(one) for one in composition.quotes],
        "odd_characters": [_counted(one) for one in composition.odd],
    }


def _of_the_sample(inspection: Inspection) -> dict[str, Any]:
    words, lines, passages = inspection.words, inspection.lines, inspection.passages
    return {
        "words": {
            "total": words.total,
            "distinct": words.distinct,
            "frequent": [{"word": word, "count": count} for word, count in words.most],
        },
        "repeated_lines": asdict(lines),
        "repeated_passages": asdict(passages),
        "entropy": list(inspection.entropies),
        "yardsticks": dict(_yardsticks(inspection)),
    }


def _yardsticks(inspection: Inspection) -> Iterator[tuple[str, dict[str, Any]]]:
    for one in inspection.yardsticks:
        found = {"bits_per_char": one.bits_per_char, "last_tenth": one.last_tenth}
        yield one.name.lower(), found if one.missing is None else {**found, "missing": one.missing}


def _counted(one: Counted) -> dict[str, Any]:
    return {"char": one.char, "code_point": _name(one.char), "count": one.count}


def _name(character: str) -> str:
    """A code point as it is written.

    >>> _name("形")
    'U+5F62'
    """
    return f"U+{ord(character):04X}"
