"""How texts are made of packages: what is read of a page, and what is left out."""

import io
import tarfile

import unseen


def test_of_a_page_the_text_remains_a_line_for_each_block():
    page = (
        "<html><head><title>no</title><style>p {}</style></head><body><nav><a>menu</a></nav>"
        "<h1>The  head</h1><p>One <b>long</b>\nline &amp; more.</p><ul><li>a<li>b</ul>"
        "<script>var x = '<p>no';</script></body></html>"
    )
    assert unseen.text_of(page) == "The head\nOne long line & more.\na\nb\n"


def test_a_line_that_stood_before_is_left_out():
    lines = ["a\n", "\n", "\n", "b\n", "a\n", "\n", "c\n"]
    assert list(unseen.unique(iter(lines))) == ["a\n", "\n", "b\n", "\n", "c\n"]


def test_the_files_of_a_package_come_by_name_and_only_those_that_match(monkeypatch, tmp_path):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as files:
        for name, content in (
            ("./doc/ko/b.html", "<p>둘</p>"),
            ("./doc/ko/a.html", "<p>하나</p>"),
            ("./doc/ko/a.html.gz", "no"),
            ("./doc/de/a.html", "<p>no</p>"),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content.encode())
            files.addfile(member, io.BytesIO(content.encode()))
    tool = tmp_path / "dpkg-deb"
    (tmp_path / "data.tar").write_bytes(archive.getvalue())
    tool.write_text(f'#!/bin/sh\n[ "$1" = --fsys-tarfile ] && cat {tmp_path}/data.tar\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    found = list(unseen.lines_of(tmp_path / "x.deb", r"/ko/.*\.html"))
    assert found == ["하나\n", "둘\n"]
