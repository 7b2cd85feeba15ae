"""The configuration file: what is read of it, and the line that each mistake is told with."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oct_edge.config.file import FileMistake, read_file

LAYOUTS = """\
# a comment with [source] and inbox = "/x"
top = 1

[source]  # a table
inbox = '''
[not.a.table]
stable = 9
'''
"stable" = 2.5
 interval= 1

[ output ]
folder = [ # over
  "several", # lines
]
jsonl.deep = true
model = { name = "x", threads = { a = 1 } }
[[log]]
level = "]"
[log.more]
x = 2026-11-23
[a."b.c"]
d = 1
"""


def read(tmp_path: Path, content: str | bytes) -> dict[str, int]:
    path = tmp_path / "file.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return {".".join(name): line for name, line in read_file(path).lines.items()}


def test_every_table_and_key_has_the_line_it_begins_on(tmp_path: Path) -> None:
    assert read(tmp_path, LAYOUTS) == {
        "top": 2,
        "source": 4,
        "source.inbox": 5,
        "source.stable": 9,
        "source.interval": 10,
        "output": 12,
        "output.folder": 13,
        "output.jsonl": 16,
        "output.jsonl.deep": 16,
        "output.model": 17,
        "output.model.name": 17,
        "output.model.threads": 17,
        "output.model.threads.a": 17,
        "log": 18,
        "log.level": 19,
        "log.more": 20,
        "log.more.x": 21,
        "a": 22,
        "a.b.c": 22,
        "a.b.c.d": 23,
    }


WORDS = st.text("ab", min_size=1, max_size=3)
VALUES = st.sampled_from(["1", '"text"', "[\n1,\n\n2\n]", '"""\n[x]\ny = 1\n"""', "{ k = 1 }", "'# no comment'"])


@given(st.dictionaries(WORDS, st.dictionaries(WORDS, VALUES, max_size=4), max_size=4), st.lists(st.booleans()))
def test_lines_are_right_whatever_stands_between(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, dict[str, str]], blanks: list[bool]
) -> None:
    written: dict[str, int] = {}
    lines: list[str] = []
    gaps = iter(blanks)

    def write(name: str, text: str) -> None:
        if next(gaps, False):
            lines.extend(["", "  # [x]"])
        written[name] = len(lines) + 1
        lines.extend(text.split("\n"))

    for table, keys in content.items():
        write(table, f"[{table}]")
        for key, value in keys.items():
            write(f"{table}.{key}", f"{key} = {value}")
    found = read(tmp_path_factory.mktemp("x"), "\n".join(lines))
    assert written.items() <= found.items()


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"[source]\nstable = \n", 2, "invalid value"),
        (b"[source]\n\nstable 2\n", 3, "expected '='"),
        (b"[source]\nstable = 1\nstable = 2\n", 3, "overwrite"),
        (b"[source]\n[source]\n", 2, "twice"),
        (b'# x\n[source]\ninbox = "/scans\n', 3, "character"),
        (b'[source]\ninbox = """\n\n', 2, "unterminated"),
        (b"[source]\nx = [1,\n", 2, "invalid value"),
        (b"[source\n", 1, "expected"),
        (b"\n\nx = \xff\n", 3, "UTF-8"),
        (b"x = " + b"9" * 5000, 1, "digit"),
        (b"x = " + b"[" * 5000, 1, "recursion"),
    ],
)
def test_a_file_that_is_no_toml_is_told_with_its_line(tmp_path: Path, content: bytes, line: int, said: str) -> None:
    with pytest.raises(FileMistake) as refused:
        read(tmp_path, content)
    assert refused.value.line == line
    assert said in refused.value.text


def test_a_file_that_cannot_be_read_is_told_without_a_line(tmp_path: Path) -> None:
    with pytest.raises(FileMistake) as refused:
        read_file(tmp_path)
    assert (refused.value.line, refused.value.text) == (None, "cannot be read (Is a directory)")


def test_what_editors_of_other_systems_write_is_read_as_well(tmp_path: Path) -> None:
    windows = b'\xef\xbb\xbf[source]\r\n# scans\r\ninbox = """/a\r\nb"""\r\nstable = 1\r\n'
    assert read(tmp_path, windows) == {"source": 1, "source.inbox": 3, "source.stable": 5}


@given(st.text("[]={}#\"'\\\n a1.", max_size=60))
def test_any_text_is_read_or_refused_with_a_line_of_it(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        with pytest.raises(FileMistake) as refused:
            read(tmp_path_factory.mktemp("x"), text)
        assert refused.value.line in range(1, text.count("\n") + 2)
    else:
        found = read(tmp_path_factory.mktemp("x"), text)
        assert {name.split(".")[0] for name in found} >= tomllib.loads(text).keys()
