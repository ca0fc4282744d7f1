import numpy as np

from charnn.corpus.tokenizers.automaton import (
    TRANSITIONS,
    State,
    TokenClass,
    allowed_classes,
    class_of_byte,
)
from charnn.corpus.tokenizers.spelling import utf8_rows

SCALARS = np.r_[0:0xD800, 0xE000:0x110000].astype(np.uint32)


def class_of_bytes():
    return np.array([class_of_byte(byte) for byte in range(256)])


def test_every_code_point_is_a_path_from_start_to_start():
    table = np.array(TRANSITIONS)
    rows = utf8_rows(SCALARS[0x80:])
    states = np.zeros(len(rows), dtype=np.int64)
    for column in range(4):
        written = rows[:, column] > 0
        states[written] = table[states[written], class_of_bytes()[rows[written, column]]]
        assert (states >= 0).all()
    assert (states == State.START).all()


def test_there_are_no_other_paths_of_bytes():
    # As many as there are code points, counted over every sequence of up to four bytes.
    ways = {State.START: 1}
    finished = 0
    for _ in range(4):
        following: dict[int, int] = {}
        for state, count in ways.items():
            for kind in class_of_bytes():
                if (after := TRANSITIONS[state][kind]) >= 0:
                    following[after] = following.get(after, 0) + count
        finished += following.pop(State.START, 0)
        ways = following
    assert finished == len(SCALARS) == 1_112_064
    assert not ways


def test_syllables():
    def path(*kinds):
        state = State.START
        for kind in kinds:
            state = TRANSITIONS[state][kind]
        return state

    assert path(TokenClass.LEAD) == State.AFTER_LEAD
    assert path(TokenClass.LEAD, TokenClass.VOWEL) == State.AFTER_VOWEL
    assert path(TokenClass.LEAD, TokenClass.VOWEL, TokenClass.TAIL) == State.START
    assert path(TokenClass.LEAD, TokenClass.VOWEL, TokenClass.LEAD) == State.AFTER_LEAD
    assert path(TokenClass.LEAD, TokenClass.VOWEL, TokenClass.BYTE_E1) == State.NEEDS_2


def test_a_text_may_end_between_characters_and_after_an_open_syllable():
    ends = [state for state in State if allowed_classes(state)[TokenClass.BOUNDARY]]
    assert ends == [State.START, State.AFTER_VOWEL]


def test_every_state_can_be_left():
    assert all(allowed_classes(state).any() for state in State)
    assert not any(allowed_classes(state)[TokenClass.NEVER] for state in State)
