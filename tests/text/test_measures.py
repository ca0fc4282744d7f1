"""Words that were seen before and n-grams that repeat."""

from hypothesis import given
from hypothesis import strategies as st

from charnn.text.measures import distinct_share, known_share, words_of

texts = st.lists(st.text("ab c", max_size=12), max_size=4)


def test_words_lose_punctuation_at_their_ends_alone() -> None:
    assert words_of("“갔다.”\n— 누(誰)가?  1,000원!") == ["갔다", "누(誰)가", "1,000원"]
    assert words_of("") == words_of(" ... —\n") == []


def test_marks_belong_to_a_word() -> None:
    assert words_of("की〮 ᄒᆞᆫ, e\u0301!") == ["की〮", "ᄒᆞᆫ", "e\u0301"]


def test_known_words_count_as_often_as_they_occur() -> None:
    assert known_share(["가", "가", "가", "나"], {"가"}) == 0.75
    assert known_share([], {"가"}) is None


@given(texts, st.integers(1, 4))
def test_distinct_is_that_of_the_plain_count(texts: list[str], size: int) -> None:
    grams = [text[i : i + size] for text in texts for i in range(len(text) - size + 1)]
    expected = len(set(grams)) / len(grams) if grams else None
    assert distinct_share(texts, size) == expected


def test_distinct_of_words() -> None:
    assert distinct_share([["a", "b", "a", "b"], ["b", "a"]], 2) == 0.5
    assert distinct_share([["a"]], 2) is None
