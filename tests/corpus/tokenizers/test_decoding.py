import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.corpus.tokenizers import ByteTokenizer, JamoTokenizer
from charnn.corpus.tokenizers.automaton import State
from charnn.errors import TokenizerError

CHOICES = st.lists(st.integers(0, 2**20), max_size=60)


def streamed(tokenizer, tokens):
    decoder = tokenizer.decoder()
    return "".join([*map(decoder.push, tokens), decoder.finish()])


@settings(max_examples=150)
@given(choices=CHOICES)
def test_one_by_one_gives_what_all_at_once_gives_for_any_tokens(tokenizer, choices):
    tokens = [choice % tokenizer.vocab_size for choice in choices]
    assert streamed(tokenizer, tokens) == tokenizer.decode(tokens)


@settings(max_examples=150)
@given(choices=CHOICES)
def test_one_by_one_gives_what_all_at_once_gives_for_parts_of_characters(tokenizer, choices):
    parts = [0, *np.flatnonzero(tokenizer.allowed(State.START) == 0).tolist()]
    parts += [
        token for token in range(tokenizer.vocab_size) if tokenizer.token_string(token) is None
    ]
    tokens = [parts[choice % len(parts)] for choice in choices]
    assert streamed(tokenizer, tokens) == tokenizer.decode(tokens)


@settings(max_examples=150)
@given(choices=CHOICES)
def test_whatever_the_masks_allow_is_text(tokenizer, choices):
    # Without byte BD nothing spells a true U+FFFD.
    no_bd = [tokenizer.token_text(token) != "<BD>" for token in range(tokenizer.vocab_size)]
    decoder = tokenizer.decoder()
    tokens, written = [], ""
    while choices or not tokenizer.allowed(decoder.state)[tokenizer.boundary]:
        allowed = np.flatnonzero(tokenizer.allowed(decoder.state) & no_bd)
        tokens.append(int(allowed[(choices.pop() if choices else 0) % len(allowed)]))
        written += decoder.push(tokens[-1])
    written += decoder.finish()
    assert "\ufffd" not in written
    assert written == tokenizer.decode(tokens)
    assert tokenizer.token_characters[tokens].sum() == len(written)
    assert tokenizer.token_bytes[tokens].sum() == len(written.encode())
    assert tokenizer.decode(tokenizer.encode(written)) == written


@settings(max_examples=150)
@given(data=st.binary(max_size=40))
def test_bytes_decode_as_python_decodes_them(data):
    tokens = [byte + 1 for byte in data]
    expected = data.decode("utf-8", "replace")
    assert ByteTokenizer().decode(tokens) == streamed(ByteTokenizer(), tokens) == expected


def jamo(*names):
    """Tokens of a jamo tokenizer by the names that `token_text` gives."""
    tokenizer = JamoTokenizer("")
    by_name = {tokenizer.token_text(token): token for token in range(tokenizer.vocab_size)}
    return [by_name[name] for name in names]


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["ㄱ-", "-ㅏ"], "가"),
        (["ㄱ-", "-ㅏ", "-ㄳ"], "갃"),
        (["ㄱ-", "-ㅏ", "ㄴ-", "-ㅏ"], "가나"),
        (["ㄱ-", "-ㅏ", "a"], "가a"),
        (["ㄱ-"], "\ufffd"),
        (["-ㅏ", "-ㄳ"], "\ufffd\ufffd"),
        (["ㄱ-", "ㄱ-", "-ㅏ"], "\ufffd가"),
        (["ㄱ-", "-ㅏ", "-ㅏ"], "가\ufffd"),
        (["ㄱ-", "-ㅏ", "-ㄳ", "-ㄳ"], "갃\ufffd"),
        (["ㄱ-", "-ㄳ"], "\ufffd\ufffd"),
        (["ㄱ-", "<boundary>", "-ㅏ"], "\ufffd\ufffd"),
        (["ㄱ-", "-ㅏ", "<boundary>", "-ㄳ"], "가\ufffd"),
        (["<E5>", "ㄱ-", "-ㅏ"], "\ufffd가"),
        (["<E5>", "<AD>", "<97>"], "字"),
        (["<E5>", "<AD>", "<boundary>", "<97>"], "\ufffd\ufffd"),
        (["<E5>", "<AD>", "a", "<97>"], "\ufffda\ufffd"),
        (["<ED>", "<A0>", "<80>"], "\ufffd\ufffd\ufffd"),
    ],
)
def test_halves_become_one_replacement_character_each(names, text):
    tokens = jamo(*names)
    assert JamoTokenizer("").decode(tokens) == streamed(JamoTokenizer(""), tokens) == text


def test_text_is_handed_out_as_soon_as_it_is_certain():
    decoder = JamoTokenizer("").decoder()
    written = [decoder.push(token) for token in jamo("ㄱ-", "-ㅏ", "ㄴ-", "-ㅏ", "-ㄴ", "a")]
    assert written == ["", "", "가", "", "난", "a"]
    assert decoder.finish() == ""


def test_a_finished_decoder_begins_again():
    decoder = JamoTokenizer("").decoder()
    decoder.push(jamo("ㄱ-")[0])
    assert decoder.state == State.AFTER_LEAD
    assert decoder.finish() == "\ufffd"
    assert decoder.state == State.START
    assert decoder.push(jamo("a")[0]) == "a"


@pytest.mark.parametrize("token", [-1, 257, 2**40])
def test_unknown_tokens_are_refused(token):
    message = f"token must be in [0, 257), got {token}: these tokens are of another tokenizer"
    tokenizer = ByteTokenizer()
    for use in (tokenizer.decoder().push, tokenizer.token_text, tokenizer.token_string):
        with pytest.raises(TokenizerError) as caught:
            use(token)
        assert str(caught.value) == message
    with pytest.raises(TokenizerError) as caught:
        tokenizer.decode([1, token])
    assert str(caught.value) == message


@pytest.mark.parametrize("tokens", [[[1, 2]], [1.5], ["a"]])
def test_what_are_no_tokens_are_refused(tokens):
    array = np.asarray(tokens)
    with pytest.raises(TokenizerError) as caught:
        ByteTokenizer().decode(tokens)
    assert str(caught.value) == (
        f"tokens must be a row of whole numbers, got {array.dtype} of shape {array.shape}"
    )


def test_masks(tokenizer):
    for state in State:
        mask = tokenizer.allowed(int(state))
        assert mask.shape == (tokenizer.vocab_size,)
        assert mask.dtype == np.bool_
        assert mask is tokenizer.allowed(int(state))
        with pytest.raises(ValueError, match="read-only"):
            mask[0] = True
    assert tokenizer.allowed(tokenizer.initial_state)[tokenizer.boundary]


@pytest.mark.parametrize("state", [-1, 10])
def test_unknown_states_are_refused(state):
    with pytest.raises(TokenizerError, match=rf"^state must be in \[0, 10\), got {state}$"):
        ByteTokenizer().allowed(state)


def test_nothing_decodes_to_nothing(tokenizer):
    assert tokenizer.decode([]) == ""
    assert tokenizer.decode(np.empty(0, dtype=np.uint16)) == ""
    assert tokenizer.decoder().finish() == ""
