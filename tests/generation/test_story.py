"""A text in turns: against one prompt read anew, and what a turn costs."""

from functools import partial

import numpy as np
import pytest

from charnn.errors import OptionError
from charnn.generation.sampler import SamplingOptions, read_prompt, sample_text
from charnn.generation.story import Story


def text_of(pieces):
    return "".join(piece.text for piece in pieces)


@pytest.fixture
def network(tokenizer, experts):
    return experts.network(tokenizer.vocab_size)


@pytest.fixture
def write(tokenizer, network):
    """`sample_text` of the network."""
    return partial(sample_text, network, tokenizer)


@pytest.fixture
def story(tokenizer, network, write):
    return Story(partial(read_prompt, network, tokenizer), write, 7)


SHORT = SamplingOptions(length=8)


def test_a_turn_is_the_text_that_follows_all_before_it(tokenizer, story, write):
    first = text_of(story.write("형식은", SHORT))
    assert first == text_of(write("형식은", SHORT, 7, index=0))
    second = text_of(story.write(" 그래", SHORT))
    assert story.text == "형식은" + first + " 그래" + second
    if tokenizer.kind != "subword":  # whose pieces may join what was read apart
        assert second == text_of(write(f"형식은{first} 그래", SHORT, 7, index=1))


def test_an_empty_turn_goes_on_from_the_end(tokenizer, story, write):
    first = text_of(story.write("", SHORT))
    second = text_of(story.write("", SHORT))
    assert story.text == first + second
    if tokenizer.kind != "subword":
        assert second == text_of(write(first, SHORT, 7, index=1))


def test_undo_takes_turns_back_one_by_one(story):
    texts = [""]
    for added in ("가", "", "다라"):
        text_of(story.write(added, SHORT))
        texts.append(story.text)
        assert story.characters == len(story.text)
    for text in reversed(texts[:-1]):
        story.undo()
        assert (story.text, story.characters) == (text, len(text))
    with pytest.raises(OptionError) as error:
        story.undo()
    assert str(error.value) == "there is nothing to take back: the text is empty"


def test_retry_writes_the_last_part_anew(story):
    before = text_of(story.write("가", SHORT))
    first = text_of(story.write("나", SHORT))
    assert story.added == "나"
    tries = {text_of(story.retry(SHORT)) for _ in range(3)}
    last = text_of(story.retry(SHORT))
    assert len({first, last, *tries}) > 1
    assert story.characters == len(story.text)
    assert story.text == "가" + before + "나" + last


def test_a_part_that_is_written_anew_takes_nothing_of_the_one_before(story):
    first = story.write("가", SHORT)
    second = story.retry(SHORT)
    text_of(first)
    last = text_of(second)
    assert story.text == "가" + last
    assert story.characters == len(story.text)


def test_nothing_can_be_written_anew_at_the_beginning(story):
    with pytest.raises(OptionError) as error:
        story.retry(SHORT)
    assert str(error.value) == "there is nothing to write anew yet: begin with a text"
    assert (story.text, story.added) == ("", "")


def test_what_was_shown_before_it_was_stopped_is_kept(story):
    pieces = story.write("가", SamplingOptions(length=10**9))
    shown = "".join(next(pieces).text for _ in range(5))
    assert story.text == "가" + shown
    other = story.retry(SamplingOptions(length=10**9))
    again = next(other).text
    next(pieces)  # of what was written before, which nobody keeps any more
    assert (story.text, story.characters) == ("가" + again, 1 + len(again))
    shown = again + next(other).text
    other.close()
    pieces.close()
    assert text_of(story.write("나", SHORT))
    assert story.text.startswith(f"가{shown}나")


def test_what_is_no_text_leaves_the_story_as_it_was(story):
    text_of(story.write("가", SHORT))
    before = story.text
    with pytest.raises(OptionError, match="lone surrogate U\\+DCFF at character"):
        story.write("\udcff", SHORT)
    assert story.text == before


def test_a_turn_reads_what_it_adds_and_no_more(tokenizers, experts):
    char = tokenizers["char"]
    expert = experts.fixed(np.full(char.vocab_size, -np.log(char.vocab_size)))
    story = Story(partial(read_prompt, expert, char), partial(sample_text, expert, char), 1)
    for _ in range(20):
        text_of(story.write("형식은", SHORT))
    read = [len(tokens) for tokens in expert.reads]
    assert len(read) == 20
    assert max(read) <= 12 * 12  # eight characters spelled out, and three more


def test_a_start_knows_all_that_was_read(tokenizer, network):
    start = None
    for part in ("형식은", "", " 말도"):
        start = read_prompt(network, tokenizer, part, start) if part or start is None else start
    assert start.text == "형식은 말도"
    read = [tokenizer.encode(part).tolist() for part in ("형식은", " 말도")]
    assert start.recent == (*read[0], *read[1])


def test_a_negative_seed_is_refused(tokenizer, network, write):
    with pytest.raises(OptionError) as error:
        Story(partial(read_prompt, network, tokenizer), write, -1)
    assert str(error.value) == "seed must be >= 0, got -1"
