"""Particles that fit their stem, in made-up words and in real text."""

import pytest

from charnn.text.measures import words_of
from charnn.text.particles import AMBIGUOUS, CERTAIN, Agreement, agreement, nouns_of


def certain(*words: str, nouns: frozenset[str] = frozenset()) -> Agreement:
    return agreement(words, CERTAIN, nouns, any_stem=True)


@pytest.mark.parametrize(
    "word",
    ["나무를", "길을", "나무와", "길과", "나무로", "길로", "집으로", "서울로", "학교로", "값으로"],
)
def test_what_fits(word: str) -> None:
    assert certain(word) == Agreement(1, 1)


@pytest.mark.parametrize(
    "word", ["나무을", "길를", "나무과", "길와", "집로", "나무으로", "길으로", "값로"]
)
def test_what_does_not_fit(word: str) -> None:
    assert certain(word) == Agreement(0, 1)


@pytest.mark.parametrize("word", ["", "을", "으로", "天地를", "A로", "나무", "선형(善馨)을"])
def test_what_is_not_counted(word: str) -> None:
    assert certain(word) == Agreement(0, 0)
    assert certain(word).share is None


def test_a_noun_that_ends_like_a_particle_is_not_counted() -> None:
    nouns = nouns_of(["마을에", "마을의", "장로를", "장로와"])
    assert nouns == {"마을", "장로"}
    assert certain("마을", "장로", nouns=nouns).counted == 0
    assert certain("마을로", "장로로", nouns=nouns) == Agreement(2, 2)


def test_topic_and_subject_are_counted_behind_nouns_alone() -> None:
    nouns = nouns_of(["사람을", "사람도", "나무에", "나무만", "먹을", "있을", "있는"])
    words = ["사람은", "사람는", "나무가", "나무이", "먹는", "있는", "같이"]
    assert agreement(words, AMBIGUOUS, nouns, any_stem=False) == Agreement(2, 4)


def test_a_particle_that_does_not_fit_makes_no_noun() -> None:
    assert nouns_of(["나를", "나을", "너을", "너과", "너에"]) == frozenset()


@pytest.mark.texts
@pytest.mark.parametrize("name", ["mujeong", "bible_mixed_script"])
def test_real_text_agrees(texts_dir, name: str) -> None:
    text = (texts_dir / f"{name}.txt").read_text("utf-8")[:500_000]
    cut = len(text) * 9 // 10
    nouns = nouns_of(words_of(text[:cut]))
    for part in (text[:cut], text[cut:]):
        words = words_of(part)
        for pair in CERTAIN:
            found = agreement(words, [pair], nouns, any_stem=True)
            assert found.counted > 50
            assert found.share >= 0.98, pair
        for pair in AMBIGUOUS:
            found = agreement(words, [pair], nouns, any_stem=False)
            assert found.counted > 50
            assert found.share >= 0.98, pair


def test_the_bundled_text_agrees(novella) -> None:
    words = words_of(novella.read_text("utf-8"))
    nouns = nouns_of(words)
    assert agreement(words, CERTAIN, nouns, any_stem=True).share >= 0.98
    assert agreement(words, AMBIGUOUS, nouns, any_stem=False).share >= 0.98
