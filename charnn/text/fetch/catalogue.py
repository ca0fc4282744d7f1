"""The works that `charnn corpus fetch` knows by name. Nothing is fetched here.

No page was seen while this list was made. `reported` says that other people's published programs
fetch a page of this title; where it is false, title and edition are assumed from general knowledge.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from charnn.text.shell import quoted

FOLDER: Final = "corpora"


@dataclass(frozen=True, slots=True)
class Work:
    """One work and where it should be.

    Attributes:
        name: what to call it on the command line, and the stem of its file.
        title: the title of its page.
        author: as in the work's own language.
        died: the author's year of death; None where the author is not known.
        year: when it was first printed, or a century such as "19th century".
        language: of the Wikisource it is in: "ko", "ja", ...
        reported: whether the title of the page is known from others who fetch it.
        skip: what the name of a sub-page has that is not the work itself.
    """

    name: str
    title: str
    author: str
    died: int | None
    year: str
    language: str = "ko"
    reported: bool = True
    skip: tuple[str, ...] = ()

    @property
    def file(self) -> Path:
        """Where its text is written unless told otherwise."""
        return Path(FOLDER, f"{self.name}.txt")

    @property
    def host(self) -> str:
        """The Wikisource of its language."""
        return f"{self.language}.wikisource.org"

    @property
    def url(self) -> str:
        """Where a person reads it."""
        return f"https://{self.host}/wiki/{quote(self.title.replace(' ', '_'))}"


CATALOGUE: Final = (
    Work("mujeong", "무정", "이광수", 1950, "1917"),
    Work("heuk", "흙", "이광수", 1950, "1932"),
    Work("takryu", "탁류", "채만식", 1950, "1937"),
    Work("taepyeong", "태평천하", "채만식", 1950, "1938"),
    Work("readymade", "레디메이드 인생", "채만식", 1950, "1934"),
    Work("sangnoksu", "상록수", "심훈", 1936, "1935"),
    Work("ingan", "인간문제", "강경애", 1944, "1934"),
    Work("muyeongtap", "무영탑", "현진건", 1943, "1938"),
    Work("unsu", "운수 좋은 날", "현진건", 1943, "1924"),
    Work("b-sagam", "B사감과 러브레터", "현진건", 1943, "1925"),
    Work("bincheo", "빈처", "현진건", 1943, "1921"),
    Work("gamja", "감자", "김동인", 1951, "1925"),
    Work("baettaragi", "배따라기", "김동인", 1951, "1921"),
    Work("bombom", "봄봄", "김유정", 1937, "1935"),
    Work("dongbaekkkot", "동백꽃", "김유정", 1937, "1936"),
    Work("kongbat", "금 따는 콩밭", "김유정", 1937, "1935"),
    Work("memilkkot", "메밀꽃 필 무렵", "이효석", 1942, "1936"),
    Work("nalgae", "날개", "이상", 1937, "1936"),
    Work("samnyongi", "벙어리 삼룡이", "나도향", 1926, "1925"),
    Work("mullebanga", "물레방아", "나도향", 1926, "1925"),
    Work("talchulgi", "탈출기", "최서해", 1932, "1925"),
    Work(
        "honggildong", "홍길동전 (30장 경판본)", "작자 미상", None, "19th century", skip=("현대어",)
    ),
    Work("neko", "吾輩は猫である", "夏目漱石", 1916, "1905", "ja"),
    Work("botchan", "坊っちゃん", "夏目漱石", 1916, "1906", "ja", reported=False),
    Work("ah-q", "阿Q正傳", "魯迅", 1936, "1921", "zh"),
    Work("honglou", "紅樓夢", "曹雪芹", 1763, "18th century", "zh"),
    Work("verwandlung", "Die Verwandlung (Franz Kafka)", "Franz Kafka", 1924, "1915", "de"),
    Work(
        *("alice", "Alice's Adventures in Wonderland (1866)", "Lewis Carroll", 1898, "1865"),
        language="en",
    ),
)
NAMES: Final = {work.name: work for work in CATALOGUE}


def bringing(path: str | Path) -> str | None:
    """The command that brings a text which is not there, if the catalogue has one of that name.

    >>> bringing("corpora/mujeong.txt"), bringing("my texts/mujeong.txt")
    ('charnn corpus fetch mujeong', "charnn corpus fetch mujeong -o 'my texts/mujeong.txt'")
    >>> bringing("corpora/novel.txt"), bringing("mujeong.md")
    (None, None)
    """
    work = NAMES.get(Path(path).stem)
    if work is None or Path(path).suffix != ".txt":
        return None
    elsewhere = "" if Path(path) == work.file else f" -o {quoted(str(path))}"
    return f"charnn corpus fetch {work.name}{elsewhere}"
