"""What each tokenizer makes of a text, against encoding it whole."""

from charnn.corpus.tokenizers import TOKENIZERS, train_tokenizer
from charnn.corpus.tokenizers.comparison import compare_tokenizers

STORY = "형식은 영어를 가르치고 나와 무더운 길을 걸어 간다.\n" * 30


def test_the_figures_are_those_of_the_tokenizers() -> None:
    text = STORY + "뷁\U0001f600"
    told: list[str] = []
    fits = {fit.kind: fit for fit in compare_tokenizers([text], told.append)}
    assert told == list(TOKENIZERS) == list(fits)
    for kind, fit in fits.items():
        tokenizer = train_tokenizer(kind, lambda: [text])
        assert fit.vocab_size == tokenizer.vocab_size
        assert fit.tokens == len(tokenizer.encode(text))
        assert fit.characters == len(text)
    assert fits["byte"].tokens_per_char == len(text.encode()) / len(text)


def test_what_has_no_token_of_its_own_is_rare() -> None:
    fits = {fit.kind: fit for fit in compare_tokenizers([STORY, "뷁\U0001f600"])}
    characters = len(STORY) + 2
    assert fits["char"].rare == 2 / characters
    assert fits["jamo"].rare == 1 / characters  # the syllable is written in jamo as all of them are
    assert fits["byte"].rare == 0
    assert compare_tokenizers([STORY])[0].rare == 0
