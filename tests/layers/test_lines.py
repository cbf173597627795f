"""Lines of C have 100 columns, with tabs of 8, as .clang-format says.

wide.txt beside this file names those that were wider before anybody looked. It only gets shorter: no file is added to it, and
one whose last wide line went is struck off.
"""
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
COLUMNS = 100
MADE = {"bridge/store/library_lua.c"}  # by make, where it is called in the folder of the sources
FILES = sorted(str(p.relative_to(TOP)) for folder in ("bridge", "tests") for p in (TOP / folder).glob("**/*.[ch]"))
WIDE = (Path(__file__).parent / "wide.txt").read_text().split()


def wide_lines(path):
    lines = (TOP / path).read_text().split("\n")
    return [n for n, line in enumerate(lines, 1) if len(line.expandtabs(8)) > COLUMNS]


def test_columns_are_those_of_clang_format():
    assert f"ColumnLimit: {COLUMNS}\n" in (TOP / ".clang-format").read_text()
    assert len(FILES) > 300


@pytest.mark.parametrize("path", sorted(set(FILES) - set(WIDE) - MADE))
def test_lines_fit(path):
    wide = wide_lines(path)
    arguments = " ".join(f"--lines={n}:{n}" for n in wide)
    assert not wide, f"more than {COLUMNS} columns; clang-format -i {arguments} {path}"


def test_the_list_gets_shorter():
    assert WIDE == sorted(set(WIDE))
    done = [path for path in WIDE if path not in FILES or not wide_lines(path)]
    assert not done, f"strike off tests/layers/wide.txt: {' '.join(done)}"
