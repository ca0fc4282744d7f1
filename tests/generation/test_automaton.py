"""Rules and the automaton of them, against the plain meaning of the rules."""

import itertools
import re
from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charnn.errors import OptionError
from charnn.generation.automaton import Automaton, Texts
from charnn.generation.rules import (
    DEAD,
    END,
    Acrostic,
    Initials,
    Word,
    acrostic_parts,
    initial_leads,
)
from charnn.generation.symbols import Alphabet, Sort, Symbol

LETTERS = "\nab 가각나.“"


def rules_of(acrostic, initials, words):
    rules = [Word(word) for word in words]
    if acrostic:
        rules.append(Acrostic(acrostic_parts(acrostic)))
    if initials:
        rules.append(Initials(initial_leads(initials)))
    return rules


def automaton_of(rules):
    return Automaton(rules, [rule.start for rule in rules])


def run_slowly(rules, text):
    """DEAD, "end" or whether the text is one that may end, by every rule by itself."""
    alphabet = Alphabet("".join(dict.fromkeys("\n" + "".join(rule.letters for rule in rules))))
    states = [rule.start for rule in rules]
    for character in text:
        symbol = alphabet.symbols[int(alphabet.numbers_of(np.array([ord(character)]))[0])]
        after = [rule.next(state, symbol) for rule, state in zip(rules, states, strict=True)]
        accepted = all(rule.accepts(state) for rule, state in zip(rules, states, strict=True))
        if END in after:
            return "end" if accepted else DEAD
        if DEAD in after:
            return DEAD
        states = after
    return all(rule.accepts(state) for rule, state in zip(rules, states, strict=True))


ASKED = st.sampled_from(
    [
        ("가나", "", ()),
        ("가", "", ("나.",)),
        ("", "ㄱ ㄴ", ()),
        ("", "ㄱㄴ", ("각",)),
        ("", "", ("aba", "b ")),
        ("ab", "", ("b\na",)),
    ]
)


@given(ASKED, st.text(LETTERS, max_size=9))
def test_the_automaton_is_all_rules_at_once(asked, text):
    rules = rules_of(*asked)
    automaton = automaton_of(rules)
    state = automaton.start
    for character in text:
        state = automaton.follow(state, character)
    expected = run_slowly(rules, text)
    if expected == "end":
        assert state == automaton.end
    elif expected == DEAD:
        assert not automaton.possible(state)
    else:
        assert automaton.accepts(state) == expected


@pytest.mark.parametrize(
    "asked", [("가나", "", ()), ("", "ㄱ ㄴ", ()), ("", "", ("aba", "ba")), ("ab", "", ("b\nb",))]
)
def test_what_is_needed_is_the_shortest_text(asked):
    rules = rules_of(*asked)
    automaton = automaton_of(rules)
    shortest = next(
        size
        for size in itertools.count()
        if any(
            run_slowly(rules, text) is True for text in itertools.product("\nab 가나", repeat=size)
        )
    )
    assert automaton.needs[automaton.start] == shortest
    seen, queue = {automaton.start}, deque([automaton.start])
    while queue:
        state = queue.popleft()
        after = {automaton.follow(state, character) for character in LETTERS}
        if 0 < automaton.needs[state] < 1 << 30:
            assert automaton.needs[state] == 1 + min(automaton.needs[other] for other in after)
        queue += after - seen
        seen |= after


@given(
    ASKED,
    st.integers(0, 9) | st.just(2**31),
    st.lists(st.text(LETTERS, min_size=1, max_size=4), min_size=1),
)
def test_texts_are_permitted_that_can_be_gone_on_from(asked, left, texts):
    automaton = automaton_of(rules_of(*asked))
    code_points = np.zeros((len(texts), 4), dtype=np.int64)
    for row, text in enumerate(texts):
        code_points[row, : len(text)] = [*map(ord, text)]
    lengths = np.array([*map(len, texts)])
    permitted, states = automaton.texts_permitted(
        automaton.start, left, Texts(code_points, lengths)
    )
    for text, is_permitted, behind in zip(texts, permitted, states, strict=True):
        state, fine = automaton.start, True
        for position, character in enumerate(text):
            state = automaton.follow(state, character)
            fine = fine and automaton.possible(state)
            fine = fine and automaton.needs[state] <= max(left - position - 1, 0)
        assert (is_permitted, behind) == (fine, state)


def test_what_is_forced_comes_to_a_choice():
    automaton = automaton_of([Acrostic(("삼", "행"))])
    assert automaton.forced(automaton.start, 9) == "삼"
    after = automaton.follow(automaton.start, "삼")
    assert automaton.forced(after, 9) == ""
    assert automaton.forced(after, 2) == "\n행"
    assert automaton.forced(automaton.follow(after, "\n"), 9) == "행"


def test_a_committed_word_comes_at_once():
    word = Word("나라")
    automaton = automaton_of([word])
    for spaced in (False, True):
        state = automaton.with_part(automaton.start, 0, word.committed(spaced=spaced))
        assert automaton.forced(state, 9) == (" 나라" if spaced else "나라")
        assert automaton.part(state, 0) == word.committed(spaced=spaced)


@given(st.text("ab", min_size=1, max_size=5), st.text("ab ", max_size=20))
def test_a_word_is_found_where_it_is(word, text):
    rule = Word(word)
    state = rule.start
    for character in text:
        state = rule.next(state, Symbol(character, Sort.OTHER))
    assert rule.accepts(state) == (word in text)


def test_sorts_of_characters():
    alphabet = Alphabet("형")
    numbers = alphabet.numbers_of(
        np.array([*map(ord, "하 \n.」“(a漢ㅎ\u302e\u0301\u1112\u11ab형")])
    )
    symbols = [alphabet.symbols[number] for number in numbers]
    assert [symbol.sort for symbol in symbols] == [
        *(18, Sort.SPACE, Sort.SPACE, Sort.CLOSING, Sort.CLOSING, Sort.OPENING, Sort.OPENING),
        *(Sort.OTHER, Sort.OTHER, Sort.OTHER, Sort.JOINING, Sort.JOINING, Sort.LEADING),
        *(Sort.JOINING, 18),
    ]
    assert [symbol.letter for symbol in symbols if symbol.letter] == ["형"]


def test_parts_of_an_acrostic_are_clusters():
    assert acrostic_parts("가\u1112\u119e\u11ab나a") == ("가", "\u1112\u119e\u11ab", "나", "a")


def test_marks_belong_to_the_letter_before_them():
    assert acrostic_parts("e\u0301a❤\ufe0f") == ("e\u0301", "a", "❤\ufe0f")
    with pytest.raises(OptionError, match=r"^acrostic must begin with a letter, got "):
        acrostic_parts("\u0301a")


def test_what_would_take_minutes_is_refused():
    letters = "".join(map(chr, range(0xAC00, 0xAC00 + 2000)))
    with pytest.raises(OptionError) as error:
        automaton_of(rules_of(letters, "", ()))
    assert re.fullmatch(
        r"acrostic would take minutes with [\d,]+ states and 2,001 different characters: ask for "
        "less at once",
        str(error.value),
    )


def test_conjoining_leads_are_leads():
    assert initial_leads("\u110b\u1100") == initial_leads("ㅇㄱ")
