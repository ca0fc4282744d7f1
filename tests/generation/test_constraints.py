"""Constrained writing: whatever the model, the text is what was asked for, and it ends."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charnn.errors import OptionError
from charnn.generation import constraints, sampler
from charnn.generation.copies import CopyIndex, index_tokens
from charnn.generation.rules import MOST_SEPARATORS
from charnn.generation.sampler import SamplingOptions, read_prompt, sample_text, sample_texts
from charnn.text import hangul

TRAINING = "형식은 아모 말도 업시 先生을 보았다. “그래?” 영채는 울었다.\n가나다라 마바사\n"
KINDS = ("char", "jamo", "byte", "subword")
FUZZ = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def text_of(pieces):
    return "".join(piece.text for piece in pieces)


def write(expert, tokenizer, prompt="", seed=1, copies=None, **options):
    """The text of sample_text."""
    options = SamplingOptions(**options)
    return text_of(sample_text(expert, tokenizer, prompt, options, seed, copies=copies))


def copies_of(text, tokenizer):
    return CopyIndex([index_tokens(tokenizer.encode(text), tokenizer, len(text))])


def is_acrostic(text, acrostic):
    lines = text.split("\n")
    return len(lines) == len(acrostic) and all(map(str.startswith, lines, acrostic))


def leads_of(text):
    """The leads of a text's syllables, and True if all else are separators, few in a row."""
    leads, separators, fine = "", 0, True
    for character in text:
        if hangul.is_syllable(ord(character)):
            leads += hangul.LEAD_LETTERS[hangul.decompose(ord(character))[0]]
            separators = 0
            continue
        separators += 1
        kind = hangul.kind_of(ord(character))
        is_mark = kind == hangul.Kind.PUNCTUATION or character.isspace() or character in "~～"
        fine = fine and is_mark and separators <= MOST_SEPARATORS
    return leads, fine


def longest_copy(prompt, text, training):
    """The longest stretch of the training text that ends in the text."""
    whole, longest = prompt + text, 0
    for end in range(len(prompt) + 1, len(whole) + 1):
        while longest < end and whole[end - longest - 1 : end] in training:
            longest += 1
    return longest


@pytest.fixture(scope="module")
def networks(tokenizers, experts):
    """Random networks, one for each tokenizer, seed and sureness; made once."""
    made = {}

    def network(kind, seed, spread=1.0):
        key = kind, seed, spread
        if key not in made:
            made[key] = experts.network(tokenizers[kind].vocab_size, seed=seed, spread=spread)
        return made[key]

    return network


MODELS = st.tuples(st.sampled_from(KINDS), st.integers(0, 3), st.sampled_from([0.3, 1.0, 4.0]))
WORDS = st.sampled_from(
    ["나라", "가가나", "先", "뷁", "the end", "a", "ababa", "𠀀x", "각", "사", "은 "]
)


@FUZZ
@given(
    MODELS, st.text("삼행시가형ab先뷁𠀀ㅋ", min_size=1, max_size=4), st.integers(0, 40), st.data()
)
def test_every_line_of_an_acrostic_begins_with_its_syllable(
    networks, tokenizers, model, acrostic, more, data
):
    prompt = data.draw(st.sampled_from(["", "형식은", "말도\n", "가"]))
    length = 2 * len(acrostic) + more
    text = write(
        networks(*model),
        tokenizers[model[0]],
        prompt,
        acrostic=acrostic,
        length=length,
        temperature=data.draw(st.sampled_from([0.0, 0.7, 1.5])),
    )
    if prompt and prompt[-1] != "\n":
        assert text[0] == "\n"
        text = text[1:]
    assert is_acrostic(text, acrostic)
    assert len(text) <= length


@FUZZ
@given(MODELS, st.text("ㄱㅇㅅㅎㄲㅈ", min_size=1, max_size=6), st.integers(0, 20), st.data())
def test_the_syllables_follow_the_initials(networks, tokenizers, model, initials, more, data):
    prompt = data.draw(st.sampled_from(["", "형식은", "말도 "]))
    length = len(initials) + more
    text = write(
        networks(*model),
        tokenizers[model[0]],
        prompt,
        initials=initials,
        length=length,
        temperature=data.draw(st.sampled_from([0.0, 0.7, 1.5])),
    )
    assert leads_of(text) == (initials, True)
    assert len(text) <= length
    assert not text[-1].isspace()
    if prompt != "형식은":
        assert hangul.is_syllable(ord(text[0]))


@FUZZ
@given(MODELS, st.lists(WORDS, min_size=1, max_size=2), st.integers(0, 30), st.data())
def test_the_words_occur(networks, tokenizers, model, words, more, data):
    length = sum(map(len, words)) + more
    text = write(
        networks(*model),
        tokenizers[model[0]],
        "형식은",
        include=tuple(words),
        length=length,
        temperature=data.draw(st.sampled_from([0.0, 0.7, 1.5])),
        seed=data.draw(st.integers(0, 9)),
    )
    assert all(word in text for word in words)
    assert len(text) >= length  # a Hangul cluster is finished


@FUZZ
@given(MODELS, st.integers(0, 30), st.integers(10, 16), st.data())
def test_everything_at_once(networks, tokenizers, model, more, max_copy, data):
    tokenizer = tokenizers[model[0]]
    words = tuple(data.draw(st.lists(st.sampled_from(["나라", "은 ", "각"]), max_size=1)))
    acrostic = data.draw(st.sampled_from(["", "삼행시", "가나"]))
    copies = copies_of(TRAINING, tokenizer) if data.draw(st.booleans()) else None
    max_copy = max_copy if copies else 0
    prompt = data.draw(st.sampled_from(["", "형식은 아모 말"]))
    length = 2 * len(acrostic) + 3 + more
    text = write(
        networks(*model),
        tokenizer,
        prompt,
        acrostic=acrostic,
        include=words,
        length=length,
        max_copy=max_copy,
        copies=copies,
        top_k=data.draw(st.sampled_from([0, 1, 5])),
        top_p=data.draw(st.sampled_from([1.0, 0.5])),
        repeat_penalty=data.draw(st.sampled_from([1.0, 1.3])),
    )
    assert all(word in text for word in words)
    if acrostic:
        assert is_acrostic(text.removeprefix("\n"), acrostic)
    if copies:
        assert longest_copy(prompt, text, TRAINING) <= max_copy


@pytest.mark.parametrize("max_copy", [10, 12, 30])
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_a_model_that_knows_its_text_by_heart_copies_no_more(tokenizer, max_copy, temperature):
    training = "옛날 어느 마을에 한 소년이 살았다. 그는 날마다 강가에 나가 물을 길었다. " * 2 + (
        "어느 날 강물 속에서 이상한 노래가 들려왔고, 소년은 그 노래를 잊을 수가 없었다. the end.\n"
    )
    tokens = [tokenizer.boundary, *2 * tokenizer.encode(training).tolist()]
    expert = Parrot(tokenizer.vocab_size, tokens)
    options = {"length": 400, "temperature": temperature}
    assert longest_copy("", write(expert, tokenizer, **options), training) > 60
    copies = copies_of(training, tokenizer)
    text = write(expert, tokenizer, max_copy=max_copy, copies=copies, **options)
    assert len(text) == 400
    assert longest_copy("", text, training) <= max_copy
    assert longest_copy("", text, training) >= max_copy - 4  # the index is not much stricter
    prompt = training[:40]
    text = write(expert, tokenizer, prompt, max_copy=max_copy, copies=copies, **options)
    assert longest_copy(prompt, text, training) <= max_copy


class Parrot:
    """Goes on as its text goes on behind the longest end of what it has read."""

    def __init__(self, vocab_size, tokens):
        self.vocab_size, self.tokens = vocab_size, tokens

    def initial_state(self, batch_size):
        return [()] * batch_size

    def _predict(self, state):
        log_probs = np.full((len(state), self.vocab_size), -12.0)
        for row, read in enumerate(state):
            for size in range(min(len(read), 12), -1, -1):
                ends = [
                    at + size
                    for at in range(len(self.tokens) - size)
                    if tuple(self.tokens[at : at + size]) == read[len(read) - size :]
                ]
                if ends:
                    log_probs[row, [self.tokens[end] for end in ends]] = 0.0
                    break
        return log_probs

    def step(self, tokens, state):
        state = [(*read, int(token))[-12:] for read, token in zip(state, tokens, strict=True)]
        return self._predict(state), state

    def read(self, tokens, state):
        return self.step_all(tokens, state[0])

    def step_all(self, tokens, read):
        state = [(*read, *map(int, tokens))[-12:]]
        return self._predict(state), state

    def select(self, state, rows):
        return [state[row] for row in rows]


OPTIONS = [
    {"acrostic": "삼행시"},
    {"initials": "ㅇㄱ ㅅ"},
    {"include": ("나라", "the")},
    {"max_copy": 10},
    {"acrostic": "가나", "include": ("나라",), "max_copy": 12, "stop": ("라",)},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_a_sample_of_many_is_the_text_it_would_be_alone(tokenizer, experts, options, monkeypatch):
    monkeypatch.setattr(sampler, "_ROWS", 3)
    network = experts.network(tokenizer.vocab_size, spread=0.7)
    options = SamplingOptions(length=40, temperature=1.0, **options)
    copies = copies_of(TRAINING, tokenizer)
    many = list(sample_texts(network, tokenizer, "말도", options, 5, 5, copies=copies))
    alone = [
        tuple(sample_text(network, tokenizer, "말도", options, 5, index=index, copies=copies))
        for index in range(5)
    ]
    assert [text_of(pieces) for pieces in many] == [text_of(pieces) for pieces in alone]
    assert len(set(map(text_of, many))) > 1


def test_bits_are_those_of_the_model_without_constraints(tokenizers, experts):
    char = tokenizers["char"]
    log_probs = np.log(np.random.default_rng(0).dirichlet(np.ones(char.vocab_size)))
    options = SamplingOptions(acrostic="삼행", include=("가나",), length=20)
    pieces = list(sample_text(experts.fixed(log_probs), char, "", options, 3))
    tokens = char.encode(text_of(pieces))
    assert sum(piece.bits for piece in pieces) >= -log_probs[tokens].sum() / math.log(2) - 1e-6


def test_a_stop_text_counts_once_everything_is_met(tokenizer, experts):
    script = tokenizer.encode("삼가\n행나 나라\n시다 가\n나라 마").tolist()
    expert = experts.script(tokenizer.vocab_size, script)
    options = {"acrostic": "삼행시", "length": 30, "temperature": 0.0}
    assert write(expert, tokenizer, **options) == "삼가\n행나 나라\n시다 가"
    assert write(expert, tokenizer, stop=("나라", "다 "), **options) == "삼가\n행나 나라\n시"
    assert write(expert, tokenizer, include=("다 가",), stop=("가",), **options) == (
        "삼가\n행나 나라\n시다 가"
    )


def test_what_a_stop_text_might_have_been_is_not_lost(tokenizer, experts):
    script = tokenizer.encode("가나 다 라\n마").tolist()
    expert = experts.script(tokenizer.vocab_size, script)
    text = write(expert, tokenizer, acrostic="가", stop=("라\n\n",), length=30, temperature=0.0)
    assert text == "가나 다 라"


def test_a_word_the_model_writes_itself_stays_where_it_is(tokenizer, experts):
    script = tokenizer.encode("가나 다라 마바사 “그래?” 형식은 말도 업시 ").tolist()
    expert = experts.script(tokenizer.vocab_size, script)
    text = write(expert, tokenizer, include=("마바사",), length=20, temperature=0.0)
    assert text == tokenizer.decode(script)[:20]


def test_a_word_stands_where_the_model_finds_it_most_natural(tokenizers, experts):
    char = tokenizers["char"]
    ids = {character: int(char.encode(character)[0]) for character in " 가나다라마바사"}

    class Liking(experts.fixed):
        """Writes words of one 가 for ever; behind ten characters it would not mind the word."""

        def step(self, tokens, state):
            log_probs = np.full((1, char.vocab_size), -9.0)
            log_probs[0, ids[" 가"[int(state[0][0]) % 2]]] = -0.1
            if state[0][0] == 9:
                log_probs[0, ids["마"]] = -3.0
            return log_probs, (state[0] + 1,)

    expert = Liking(np.full(char.vocab_size, -9.0))
    text = write(expert, char, include=("마바",), length=30, temperature=0.0)
    assert text.index("마바") == 10


@pytest.mark.parametrize("prompt", ["형식은", "형식은 ", "“", ""])
@pytest.mark.parametrize("length", [3, 12])
def test_a_word_is_not_glued_to_the_prompt(tokenizer, experts, prompt, length):
    network = experts.network(tokenizer.vocab_size)
    text = prompt + write(network, tokenizer, prompt, include=("바다",), length=length)
    before = text[: text.index("바다", len(prompt))]
    assert not before[-1:].isalnum()


def test_rules_hold_however_long_the_text_may_become(tokenizers, experts):
    char = tokenizers["char"]
    network, copies = experts.network(char.vocab_size), copies_of(TRAINING, char)
    options = SamplingOptions(acrostic="삼행시", max_copy=12, length=2**31)
    pieces = sample_text(network, char, "", options, 1, copies=copies)
    assert next(pieces).text[0] == "삼"
    options = SamplingOptions(acrostic="가나", include=("다라",), length=2**31)
    assert next(sample_text(network, char, "", options, 1)).text[0] == "가"


def test_lines_share_the_length_and_end_at_words(tokenizer, experts):
    script = tokenizer.encode("가나 다라 " * 30).tolist()
    expert = experts.script(tokenizer.vocab_size, script)
    lines = write(expert, tokenizer, acrostic="삼행시", length=60, temperature=0.0).split("\n")
    assert [len(line) for line in lines] == pytest.approx([20, 20, 16], abs=5)
    assert all(line[-1] in "나라삼행시" for line in lines[:2])


def test_a_line_without_spaces_ends_all_the_same(tokenizers, experts):
    char = tokenizers["char"]
    log_probs = np.full(char.vocab_size, -50.0)
    log_probs[char.encode("가")] = 0.0
    text = write(experts.fixed(log_probs), char, acrostic="삼행", length=100, temperature=0.0)
    assert [len(line) for line in text.split("\n")] == [50 + 16, 33]


def test_the_last_line_ends_at_a_word(tokenizer, experts):
    script = tokenizer.encode("가나 다라마 " * 30).tolist()
    expert = experts.script(tokenizer.vocab_size, script)
    for length in range(40, 50):
        text = write(expert, tokenizer, acrostic="삼행", length=length, temperature=0.0)
        assert text[-2:] in ("가나", "라마")
        assert len(text) >= length - 9


def test_words_of_initials_are_as_long_as_the_model_makes_them(tokenizers, experts):
    char = tokenizers["char"]
    log_probs = np.full(char.vocab_size, -30.0)
    log_probs[char.encode(" ")] = np.log(0.2)
    log_probs[char.encode("사")] = np.log(0.79)
    log_probs[char.encode("가나다")] = np.log(0.01 / 3)
    expert = experts.fixed(log_probs)
    texts = [write(expert, char, initials="ㄱㄴㄷ" * 5, seed=seed) for seed in range(40)]
    words = [word for text in texts for word in text.split()]
    assert 15 * 40 / len(words) == pytest.approx(1 / 0.2, rel=0.2)  # syllables a word


def test_without_constraints_nothing_is_made(tokenizers, experts, monkeypatch):
    monkeypatch.setattr(constraints, "Lexicon", None)
    char = tokenizers["char"]
    assert len(write(experts.network(char.vocab_size), char, length=5)) == 5


def test_an_old_syllable_is_one_syllable(tokenizer, experts):
    network = experts.network(tokenizer.vocab_size)
    old = "\u1112\u119e\u11ab"
    text = write(network, tokenizer, acrostic=old + "가", length=30)
    first, second = text.split("\n")
    assert first.startswith(old)
    assert second.startswith("가")


def test_the_prompt_counts_as_written_before(tokenizers, experts):
    byte = tokenizers["byte"]
    expert = experts.script(byte.vocab_size, byte.encode(TRAINING[12:]).tolist())
    copies = copies_of(TRAINING, byte)
    start = read_prompt(expert, byte, TRAINING[:12])
    options = SamplingOptions(max_copy=12, length=20)
    for prompt in (TRAINING[:12], start):
        text = text_of(sample_text(expert, byte, prompt, options, 0, copies=copies))
        assert text[0] != TRAINING[12]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"acrostic": "삼 행"},
            "acrostic must be letters without spaces, one a line, got '삼 행': "
            "write them like 삼행시",
        ),
        (
            {"initials": "ㅇㅏ"},
            "initials must be the consonants ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ and spaces, "
            "got 'ㅏ' in 'ㅇㅏ': write them like ㅇㄱㅅ",
        ),
        (
            {"initials": " "},
            "initials must hold a consonant, got spaces alone: write them like ㅇㄱㅅ",
        ),
        ({"include": ("",)}, "include must be 1 to 64 characters, got 0: name a word"),
        ({"include": "가"}, "include must be a tuple of texts, got '가'; write ('가',)"),
        (
            {"include": ("\ud800",)},
            "include must be valid Unicode, got '\\ud800': leave the surrogate out",
        ),
        (
            {"max_copy": 9},
            "max_copy must be 0 (off) or >= 10, got 9: shorter stretches stand in every text",
        ),
        ({"length": 1e6}, "length must be a whole number >= 1, got 1000000.0"),
        ({"length": "5"}, "length must be a whole number >= 1, got '5'"),
        ({"top_k": 1.5}, "top_k must be a whole number >= 0, got 1.5"),
        ({"max_copy": 20.0}, "max_copy must be a whole number >= 0, got 20.0"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(OptionError) as error:
        SamplingOptions(**options)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"acrostic": "삼행시", "length": 4}, "length must be >= 5 for acrostic '삼행시', got 4"),
        (
            {"include": ("가나", "다라"), "length": 3},
            "length must be >= 4 for include '가나' and include '다라', got 3",
        ),
        (
            {"initials": "ㄱ", "include": ("나",)},
            "no text can have initials 'ㄱ' and include '나': leave one of them out",
        ),
        (
            {"include": tuple("abcdefghijklmnop")},
            "include must have at most 20,000 states together, got billions: ask for less at once",
        ),
        (
            {"include": tuple(f"{number:064}" for number in range(64))},
            "include must have at most 20,000 states together, got billions: ask for less at once",
        ),
        (
            {"include": ("하나하나", "두울두울", "세엣세엣", "네엣네엣"), "acrostic": "삼행시"},
            "include and acrostic must have at most 20,000 states together, got 100,000: ask for "
            "less at once",
        ),
        ({"max_copy": 10}, "max_copy needs the index of the training text: give copies"),
        (
            {"initials": "ㅇㄱ" * 1900, "length": 500},
            f"length must be >= 3800 for initials '{'ㅇㄱ' * 1900}', got 500",
        ),
    ],
)
def test_what_cannot_be_is_said_before_the_first_piece(tokenizers, experts, options, message):
    char = tokenizers["char"]
    with pytest.raises(OptionError) as error:
        sample_text(experts.network(char.vocab_size), char, "", SamplingOptions(**options), 0)
    assert str(error.value) == message


def test_a_word_that_is_a_copy_is_refused(tokenizers, experts):
    char = tokenizers["char"]
    options = SamplingOptions(max_copy=10, include=("아모 말도 업시 先生을",))
    copies = copies_of(TRAINING, char)
    with pytest.raises(OptionError) as error:
        sample_text(experts.network(char.vocab_size), char, "", options, 0, copies=copies)
    assert str(error.value) == (
        "include '아모 말도 업시 先生을' is a copy of more than 10 characters of the training "
        "text: raise max_copy, or ask for another word"
    )


def test_where_nothing_can_come_it_is_said(tokenizers, experts):
    char = tokenizers["char"]
    full = CopyIndex([np.full(8, 0xFF, dtype=np.uint8)])  # takes every text for a copy
    options = SamplingOptions(max_copy=10, length=40)
    with pytest.raises(OptionError) as error:
        list(sample_text(experts.network(char.vocab_size), char, "", options, 0, copies=full))
    assert str(error.value) == (
        "max_copy 10 leaves nothing that could come next: raise max_copy or length, or take "
        "another seed"
    )


def test_initials_end_at_a_closing_mark(tokenizers, experts):
    char = tokenizers["char"]
    expert = experts.script(char.vocab_size, char.encode("아 가사.” 나").tolist())
    options = {"temperature": 0.0, "length": 30}
    assert write(expert, char, initials="ㅇㄱㅅ", **options) == "아 가사.”"
    assert write(expert, char, initials="ㅇ ㄱㅅ", **options) == "아 가사.”"
    assert write(expert, char, initials="ㅇㄱ ㅅ", **options) != "아 가사.”"


def test_the_text_streams(tokenizers, experts):
    char = tokenizers["char"]
    expert = experts.fixed(np.full(char.vocab_size, -math.log(char.vocab_size)))
    options = SamplingOptions(acrostic="삼행", length=10**6)
    pieces = sample_text(expert, char, "", options, 0)
    assert text_of(itertools.islice(pieces, 10)).startswith("삼")
    assert len(expert.steps) < 50
