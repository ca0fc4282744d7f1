"""Wikitext and HTML to paragraphs."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charnn.text.fetch.blocks import Block, as_text
from charnn.text.fetch.rendered import read_rendered_page
from charnn.text.fetch.wikitext import _heading, read_wikitext

PAGE = """{{머리말
|제목 = 무정
|지은이 = [[저자:이광수|이광수]]
|설명 = {{작게|1917년}}
}}
<!-- 옮겨 적음 -->
== 1 ==
경성학교 영어 교사 '''이형식'''은 ''오후'' 두시 [[사년급]] 영어 시간을<ref>각주</ref> 마치고

　김장로의 딸 {{윗주|善馨|선형}}이가&nbsp;명년 [[미국|아메리카]]로 &lt;간다&gt;.
:"{{드러냄표|아아}}, {{무엇|모름}} 그것은."
<poem>
달아 달아
밝은 달아
</poem>
{| class="wikitable"
| 표 || {{안}}
|}
=== 가 ===
끝<br/>이다. <span style="x">정말</span> [https://example.org 그]렇다.
----
== 라이선스 ==
{{PD-old-70}}
=== 더 ===
아무것도
[[분류:소설]] [[en:The Heartless]]
__목차숨김__
"""


def test_a_page() -> None:
    read = read_wikitext(PAGE)
    assert as_text(read.blocks).splitlines() == [
        "1",
        "경성학교 영어 교사 이형식은 오후 두시 사년급 영어 시간을 마치고",
        "김장로의 딸 善馨이가 명년 아메리카로 <간다>.",
        '"아아, 그것은."',
        "달아 달아",
        "밝은 달아",
        "",
        "가",
        "끝",
        "이다. 정말 그렇다.",
    ]
    assert read.about == ["머리말", "PD-old-70"]
    assert dict(read.left_out) == {"무엇": 1, "안": 1, "table": 1}
    assert read.notes_left_out == 1
    assert read.links == ["저자:이광수", "사년급", "미국"]
    assert not read.transcluded


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("{{옛한글 인라인|ᄒᆞᆫ}}", "ᄒᆞᆫ"),
        ("{{lang|zh|無情}}", "無情"),
        ("{{작게|{{가운데|[[가|나]]}}}}", "나"),
        ("{{SIC|틀림|맞음}}", "틀림"),
        ("[[/1장]]", "/1장"),
        ("[[:분류:소설]]", "분류:소설"),
        ("[[파일:a.png|thumb|그림]]가", "가"),
        ("*하나\n#둘\n;셋", "하나\n둘\n셋"),
        ("{{닫히지 않음", "닫히지 않음"),
        ("가}}나]]다|}", "가나다"),
        ("'''''굵고 기운'''''", "굵고 기운"),
        ("<nowiki>가</nowiki>", "가"),
        ("<gallery>\na.png\n</gallery>가<math>x</math>", "가"),
        ("<!-- 끝나지 않는", ""),
        ("가<ref name=a/><ref>나</ref>다<ref>라", "가다라"),
        ("== 각주 ==\n가\n== 2 ==\n나", "2\n나"),
        ("=== 주석 ===\n가\n==== 밑 ====\n나\n== 3 ==\n다", "3\n다"),
        ("a < b && c > d", "a < b && c > d"),
        ("= =", "= ="),
        ("=== 가 =", "== 가"),
        ("{{center|1=제목}}", "제목"),
        ("{{작게|1=가=나}}다", "가=나다"),
        ("{{작게|크기=2|가}}", "가"),
        ("{{작게| 1 = 가 }}나", "가나"),
        ("{{윗주|2=선형|1=善馨}}", "善馨"),
        ("{{lang|2=無情|1=zh}}", "無情"),
        ("{{작게|제1회=가}}나", "나"),
        ("It{{gap|2em}}is", "It is"),
        ("{{tooltip|text|hover}}", "text"),
        ("{{popup|text|hover}}", "text"),
        ("가[//a.org\n나]다[http://a b\n]", "가나다[http://a b\n]"),
    ],
)
def test_bits_of_it(wikitext: str, text: str) -> None:
    assert as_text(read_wikitext(wikitext).blocks).rstrip("\n") == text


_HEADING = re.compile(r"(={1,6})[ \t]*([^\n]*?)[ \t]*\1[ \t]*")


@given(st.text(st.sampled_from("= \tab"), max_size=24).map(str.strip))
def test_headings_are_those_of_the_pattern_that_takes_cubic_time(line: str) -> None:
    found = _HEADING.fullmatch(line)
    expected = (len(found[1]), found[2]) if found else (0, line)
    assert _heading(line) == expected


def test_a_page_of_scans_is_known() -> None:
    assert read_wikitext('<pages index="책.pdf" from=1 to=9 />').transcluded


@given(st.text(st.sampled_from("{}[]|=':<>!-/ref가\n &;#*_"), max_size=60))
def test_any_wikitext_can_be_read(wikitext: str) -> None:
    text = as_text(read_wikitext(wikitext).blocks)
    assert text == "" or text.endswith("\n")
    assert "{{" not in text and "[[" not in text
    assert "\n\n\n" not in text and not text.startswith("\n")


@pytest.mark.parametrize(
    "wikitext",
    [
        "{{" * 100_000 + "}}" * 100_000,
        "[[" * 100_000,
        "<ref>" * 100_000,
        "<ref></gallery>" * 50_000,
        "<!--" * 50_000,
        "<" * 200_000,
        "'" * 200_000,
        "=" * 100_000 + " 가 " + "=" * 99_999,
        "=" + " " * 100_000 + "x",
        "=" + " \t" * 50_000 + "가" + " " * 50_000 + "x",
        "[//" + "a" * 100_000,
        "[//a" + " " * 100_000,
        "{{작게|" + "1" * 50_000 + " " * 50_000 + "}}",
        "{{" + "|" * 200_000 + "}}",
        "[http://a " * 20_000,
        "<gallery>" * 100_000,
        "_" * 200_000,
    ],
)
def test_no_wikitext_takes_for_ever(wikitext: str) -> None:
    start = time.process_time()
    read_wikitext(wikitext)
    assert time.process_time() - start < 5


HTML = """<div class="mw-parser-output"><style>.a{}</style>
<table class="headertemplate ws-noexport"><tr><td>무정<br>이광수</td></tr></table>
<div class="mw-heading"><h2 id="1">1</h2><span class="mw-editsection">[편집]</span></div>
<p>경성학교 영어
교사<sup class="reference"><a>[1]</a></sup> <b>이형식</b>은
</p><p style="text-indent:1em">김장로의 딸 <ruby>善馨<rt>선형</rt></ruby>이<br />가
<span class="pagenum ws-pagenum" id="7">x</span>&#32;명년</p>
<div class="poem"><p>달아<br />
달아</p></div><p style="display: none">숨음</p>
<div class="mw-heading"><h2>라이선스</h2></div><div class="licenseContainer"><p>공유</p></div>
</div>"""


def test_a_rendered_page() -> None:
    blocks = read_rendered_page(HTML)
    assert blocks[0] == Block("1", 2)
    assert as_text(blocks).splitlines() == [
        "1",
        "경성학교 영어 교사 이형식은",
        "김장로의 딸 善馨이",
        "가 명년",
        "달아",
        "달아",
    ]


@given(st.text(st.sampled_from("<>/pdivrstyle=\"' 가&;!-"), max_size=60))
def test_any_html_can_be_read(page: str) -> None:
    assert all(block.text.strip() for block in read_rendered_page(page))


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 20_000 + "</div>" * 20_000,
        "<b>" * 20_000 + "</i>" * 20_000,
        "<" * 100_000,
        "&" * 100_000,
    ],
)
def test_no_html_takes_for_ever(page: str) -> None:
    start = time.process_time()
    read_rendered_page(page)
    assert time.process_time() - start < 5
