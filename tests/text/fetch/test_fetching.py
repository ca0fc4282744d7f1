"""A work by name: its pages, their order, what is written beside it, what can go wrong."""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from charnn.errors import CharnnError, OptionError, TextError
from charnn.text.fetch import mediawiki
from charnn.text.fetch.catalogue import CATALOGUE, NAMES, Work
from charnn.text.fetch.fetching import Fetched, fetch, find_work, natural_key
from charnn.text.fetch.transport import FetchError

Wiki = Any  # that of conftest.py
MUJEONG = NAMES["mujeong"]
PARTS = ("1장~20장", "21장~40장", "101장~120장")


@pytest.fixture
def novel(wiki: Wiki) -> Wiki:
    """A wiki with a novel of three parts, as they come in the alphabet."""
    wiki.put("무정", "{{머리말|제목=무정}}\n* [[/차례]]\n{{PD-old-70}}")
    for number, part in enumerate(PARTS, 1):
        wiki.put(
            f"무정/{part}", f"{{{{머리말}}}}\n== {number} ==\n형식은 {number}.\n\n끝<ref>ㄱ</ref>."
        )
    wiki.put("무정란", "다른 것")
    return wiki


def get(wiki: Wiki, output: Path, work: Work = MUJEONG, **rest: Any) -> Fetched:
    return fetch(work, output, api=wiki.api, patience=wiki.patience, **rest)


def refusal(wiki: Wiki, output: Path, work: Work = MUJEONG) -> str:
    with pytest.raises(FetchError) as caught:
        get(wiki, output, work)
    assert not output.exists()
    assert list(output.parent.iterdir()) == []
    return str(caught.value)


TEXT = "1\n형식은 1.\n끝.\n\n2\n형식은 2.\n끝.\n\n3\n형식은 3.\n끝.\n"


def test_a_novel_in_parts(novel: Wiki, tmp_path: Path) -> None:
    output = tmp_path / "mujeong.txt"
    fetched = get(novel, output, contact="me@example.org")
    assert output.read_text("utf-8") == TEXT
    assert fetched.characters == len(TEXT)
    assert fetched.pages == 3
    assert fetched.notes == ["footnotes left out: 3"]
    assert novel.at_once == 1
    assert all("me@example.org" in agent for agent in novel.agents)
    assert novel.told[0] == "무정: 3 pages on 127.0.0.1"
    assert novel.told[-1] == "3/3 무정/101장~120장"


def test_where_it_comes_from_is_told_beside_it(novel: Wiki, tmp_path: Path) -> None:
    output = tmp_path / "mujeong.txt"
    assert get(novel, output).source == tmp_path / "mujeong.source.json"
    origin = json.loads((tmp_path / "mujeong.source.json").read_text("utf-8"))
    assert origin["sha256"] == hashlib.sha256(output.read_bytes()).hexdigest()
    assert origin["characters"] == len(TEXT)
    assert origin["work"]["author"] == "이광수"
    assert origin["url"] == "https://wiki.example.org/wiki/무정"
    assert origin["licence"] == {
        "text": "이광수, died in 1950; printed 1917",
        "text_templates": ["PD-old-70"],
        "transcription": "Share and share alike",
        "transcription_url": "https://example.org/by-sa/4.0/",
    }
    assert [page["title"] for page in origin["pages"]] == [f"무정/{part}" for part in PARTS]
    assert origin["pages"][0] == {
        "title": "무정/1장~20장",
        "revision": 102,
        "timestamp": "2026-01-02T03:04:05Z",
        "url": "https://wiki.example.org/w/index.php?oldid=102",
    }
    assert origin["order"] == "numbers in the titles"
    assert origin["left_out"] == {"templates": {}, "footnotes": 3, "pages": []}


def test_the_table_of_contents_tells_the_order(wiki: Wiki, tmp_path: Path) -> None:
    wiki.put("무정", "* [[/끝|끝]]\n* [[무정/가운데]]\n* [[/처음/|처음]]\n[[딴 데]]")
    for part in ("가운데", "끝", "처음"):
        wiki.put(f"무정/{part}", part)
    get(wiki, tmp_path / "m.txt")
    assert (tmp_path / "m.txt").read_text("utf-8") == "끝\n\n가운데\n\n처음\n"
    origin = json.loads((tmp_path / "m.source.json").read_text("utf-8"))
    assert origin["order"] == "table of contents"


def test_a_work_of_one_page_found_by_a_redirect(wiki: Wiki, tmp_path: Path) -> None:
    wiki.redirects["날개"] = "날개 (이상)"
    wiki.put("날개 (이상)", "‘박제’를 아시오?\n{{모름}}{{모름}}{{나}}")
    fetched = get(wiki, tmp_path / "n.txt", NAMES["nalgae"])
    assert (tmp_path / "n.txt").read_text("utf-8") == "‘박제’를 아시오?\n"
    assert fetched.notes == [
        "templates left out that may show text: 모름 (2), 나 (1)",
        "no template on the pages tells of copyright: check it yourself",
    ]


def test_a_page_of_scans_is_put_together_by_the_wiki(wiki: Wiki, tmp_path: Path) -> None:
    number = wiki.put("날개", '{{머리말}}<pages index="조광.pdf" from=1 to=9 />{{PD-old-70}}')
    wiki.rendered[number] = "<div class='ws-noexport'>머리</div><p>나는 <i>유쾌</i>하오.</p>"
    get(wiki, tmp_path / "n.txt", NAMES["nalgae"])
    assert (tmp_path / "n.txt").read_text("utf-8") == "나는 유쾌하오.\n"
    assert wiki.asked[-1]["oldid"] == str(number)


def test_sub_pages_that_are_not_the_work_are_left_out(wiki: Wiki, tmp_path: Path) -> None:
    work = NAMES["honggildong"]
    for title in (work.title, f"{work.title}/1", f"{work.title}/현대어 해석"):
        wiki.put(title, "홍길동젼 {{PD-old-100}}")
    fetched = get(wiki, tmp_path / "h.txt", work)
    assert fetched.pages == 1
    assert fetched.notes == [f"sub-pages left out: {work.title}/현대어 해석"]


@pytest.mark.parametrize(
    ("own", "notes"),
    [
        (
            "나는 머리말이다. " * 30,
            [
                "text of 무정 itself left out (300 characters beside its links): "
                "its sub-pages are the work"
            ],
        ),
        ("나는 짧은 소개다.", []),
        (
            "\n".join(f"* [[/{number}|{number}장 형식은 영어를 가르치고]]" for number in range(50)),
            [],
        ),
    ],
)
def test_text_of_the_page_above_the_sub_pages_is_told(
    wiki: Wiki, tmp_path: Path, own: str, notes: list[str]
) -> None:
    wiki.put("무정", f"{{{{머리말|제목=무정}}}}\n{own}\n{{{{PD-old-70}}}}")
    wiki.put("무정/1", "형식은 갔다.")
    fetched = get(wiki, tmp_path / "m.txt")
    assert (tmp_path / "m.txt").read_text("utf-8") == "형식은 갔다.\n"
    assert fetched.notes == notes


def test_long_lists_are_continued(wiki: Wiki, tmp_path: Path) -> None:
    wiki.batch = 2
    wiki.put("무정", "{{PD-old-70}}")
    for number in range(1, 24):
        wiki.put(f"무정/{number}", f"{number}장.")
    fetched = get(wiki, tmp_path / "m.txt")
    assert fetched.pages == 23
    assert (tmp_path / "m.txt").read_text("utf-8").split() == [f"{n}장." for n in range(1, 24)]
    revisions = [query["revids"].count("|") + 1 for query in wiki.asked if "revids" in query]
    assert revisions == [1, mediawiki.BATCH, mediawiki.BATCH, 3]


def test_a_page_that_changes_meanwhile_is_read_as_it_was_listed(
    novel: Wiki, tmp_path: Path
) -> None:
    def change(query: dict[str, str]) -> None:
        if "revids" in query and len(novel.pages["무정/1장~20장"]) == 1:
            novel.put("무정/1장~20장", "누가 지워 버렸다.")

    novel.before = change
    get(novel, tmp_path / "m.txt")
    assert (tmp_path / "m.txt").read_text("utf-8") == TEXT
    assert len(novel.pages["무정/1장~20장"]) == 2


def test_a_page_that_vanishes_meanwhile_is_looked_for_again(novel: Wiki, tmp_path: Path) -> None:
    def delete(query: dict[str, str]) -> None:
        if "revids" in query and "|" in query["revids"]:
            novel.pages.pop("무정/21장~40장", None)

    novel.before = delete
    assert get(novel, tmp_path / "m.txt").pages == 2
    assert "무정/21장~40장 was deleted meanwhile; listing the pages again" in novel.told


def test_a_page_that_is_listed_and_never_given(wiki: Wiki, tmp_path: Path) -> None:
    wiki.put("무정", "가")
    wiki.answer = _without_revisions(wiki.answer)
    assert refusal(wiki, tmp_path / "m.txt") == (
        "127.0.0.1 lists '무정' but does not give it: try again later"
    )


def _without_revisions(answer: Any) -> Any:
    return lambda query: {"query": {}} if "revids" in query else answer(query)


def test_a_title_that_is_not_there(wiki: Wiki, tmp_path: Path) -> None:
    assert refusal(wiki, tmp_path / "m.txt") == (
        "127.0.0.1 has no page '무정': look there for its title, and give it as --title"
    )
    wiki.put("무정 (소설)", "가")
    assert refusal(wiki, tmp_path / "m.txt") == (
        "127.0.0.1 has no page '무정', but 무정 (소설): give the right one as --title"
    )
    assert get(wiki, tmp_path / "m.txt", title="무정 (소설)").characters == 2


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        ({"query": []}, "query.pages"),
        ({"query": {"pages": {"1": {}}}}, "query.pages"),
        ({"query": {"pages": [{"lastrevid": "x", "title": "무정"}]}}, "lastrevid"),
        ({"query": {"pages": [{"lastrevid": True, "title": "무정"}]}}, "lastrevid"),
        ({"query": {"pages": [{"lastrevid": 1, "title": ["무정"]}]}}, "title"),
        ({}, "query.pages"),
    ],
)
def test_answers_of_another_form_are_refused(
    wiki: Wiki, tmp_path: Path, answer: Any, path: str
) -> None:
    wiki.answer = lambda query: answer
    assert refusal(wiki, tmp_path / "m.txt") == (
        f"127.0.0.1 does not answer as a MediaWiki does (no {path} in it)"
    )


@pytest.mark.parametrize(
    "pages",
    [
        [{"title": "무정", "revisions": [5]}],
        [{"title": "무정", "revisions": {"a": 1}}],
        [{"title": "무정", "revisions": [{"revid": 101, "slots": 5}]}],
        [{"title": "무정", "revisions": [{"revid": "101", "slots": {"main": {"content": "가"}}}]}],
        [5],
        5,
    ],
)
def test_revisions_of_another_form_are_none(wiki: Wiki, tmp_path: Path, pages: Any) -> None:
    wiki.put("무정", "가")
    answer = wiki.answer
    wiki.answer = lambda query: {"query": {"pages": pages}} if "revids" in query else answer(query)
    assert refusal(wiki, tmp_path / "m.txt").endswith("but does not give it: try again later")


def test_a_page_without_text_is_refused(wiki: Wiki, tmp_path: Path) -> None:
    wiki.put("무정", "{{머리말}}")
    assert refusal(wiki, tmp_path / "m.txt") == "127.0.0.1: '무정' has no text that can be read"


def test_a_list_without_end_is_refused(
    wiki: Wiki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wiki.put("무정", "가")
    answer = wiki.answer
    page = {"title": "무정/1", "lastrevid": 5}
    forever = {"query": {"pages": [page]}, "continue": {"gapcontinue": "x"}}
    wiki.answer = lambda query: forever if "gapprefix" in query else answer(query)
    monkeypatch.setattr(mediawiki, "_MOST_ANSWERS", 5)
    assert refusal(wiki, tmp_path / "m.txt") == "127.0.0.1 never comes to an end of its answer"
    monkeypatch.setattr(mediawiki, "MOST_PAGES", 3)
    assert refusal(wiki, tmp_path / "m.txt") == "무정 has more than 3 sub-pages, as no book has"


def test_another_revision_than_asked_for_is_refused(wiki: Wiki, tmp_path: Path) -> None:
    number = wiki.put("무정", "<pages />")
    wiki.rendered[number] = "<p>가</p>"
    answer = wiki.answer
    other = {"parse": {"revid": 7, "text": "<p>나</p>"}}
    wiki.answer = lambda query: other if query["action"] == "parse" else answer(query)
    assert (
        refusal(wiki, tmp_path / "m.txt")
        == f"127.0.0.1 answers with another revision than {number}"
    )


@pytest.mark.parametrize("taken", ["m.txt", "m.source.json"])
def test_nothing_is_overwritten_and_nothing_asked(novel: Wiki, tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_text("mine", "utf-8")
    with pytest.raises(OptionError, match=r"is there already and is not overwritten"):
        get(novel, tmp_path / "m.txt")
    assert novel.asked == []
    assert (tmp_path / taken).read_text("utf-8") == "mine"


def test_the_default_place_is_the_folder_of_texts(
    novel: Wiki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fetched = fetch(MUJEONG, api=novel.api, patience=novel.patience)
    assert fetched.path == Path("corpora", "mujeong.txt")
    assert (tmp_path / "corpora" / "mujeong.source.json").is_file()


def test_a_folder_that_is_not_there(novel: Wiki, tmp_path: Path) -> None:
    output = tmp_path / "no" / "m.txt"
    assert refused_before_asking(novel, output, TextError) == (
        f"{output} cannot be written (No such file or directory): check the folder and the disk"
    )


def test_a_file_where_the_folder_of_texts_should_be(
    novel: Wiki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpora").write_text("mine", "utf-8")
    assert refused_before_asking(novel, None, TextError) == (
        "corpora/mujeong.txt cannot be written (Not a directory): check the folder and the disk"
    )


def test_a_folder_of_texts_that_cannot_be_made(
    novel: Wiki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "TemporaryFile", denied)
        assert refused_before_asking(novel, None, TextError) == (
            "corpora cannot be written (Permission denied): check the folder and the disk"
        )
    monkeypatch.setattr(Path, "mkdir", denied)
    with pytest.raises(TextError, match=r"^corpora cannot be written \(Permission denied\)"):
        fetch(MUJEONG, api=novel.api, patience=novel.patience)


@pytest.mark.parametrize("output", ["", ".", "/"])
def test_an_output_that_names_no_file(novel: Wiki, output: str) -> None:
    assert refused_before_asking(novel, output, OptionError) == (
        f"output must name a file, got {output!r}"
    )


def refused_before_asking(wiki: Wiki, output: str | Path | None, kind: type[CharnnError]) -> str:
    with pytest.raises(kind) as caught:
        fetch(MUJEONG, output, api=wiki.api, patience=wiki.patience)
    assert type(caught.value) is kind
    assert wiki.asked == []
    return str(caught.value)


def test_a_name_that_is_not_in_the_catalogue() -> None:
    with pytest.raises(CharnnError) as caught:
        find_work("mujong")
    assert str(caught.value) == (
        "there is no work 'mujong' in the catalogue: 'charnn corpus fetch' lists them"
    )
    assert find_work("mujeong") is MUJEONG


def test_the_catalogue_is_in_the_public_domain_and_plain_to_type() -> None:
    korean = [work for work in CATALOGUE if work.language == "ko"]
    assert len(NAMES) == len(CATALOGUE)
    assert len(korean) >= 9 and len(CATALOGUE) - len(korean) >= 3
    page = (Path(__file__).parents[3] / "corpora" / "README.md").read_text("utf-8")
    assert f"{len(korean)} Korean works" in page and f"한국 작품 {len(korean)}편" in page
    for work in CATALOGUE:
        assert work.died is None or work.died < 1963  # free in Korea before terms were lengthened
        assert work.name.replace("-", "").isascii() and work.name == work.name.lower()
        assert work.url.startswith(f"https://{work.language}.wikisource.org/wiki/")


@pytest.mark.parametrize(
    "titles",
    [
        ["탁류/제1장", "탁류/제2장", "탁류/제10장", "탁류/제19장"],
        ["紅樓夢/第001回", "紅樓夢/第002回", "紅樓夢/第120回"],
        ["가/第二回", "가/第十回", "가/第十二回", "가/第二十回", "가/第百二十回"],
        ["가/상", "가/중", "가/하"],
    ],
)
def test_titles_sort_as_a_person_would(titles: list[str]) -> None:
    assert sorted({*titles}, key=natural_key) == titles
