import json
import sys
from types import SimpleNamespace

import pytest

from tevo.data.readers.rows import Row, read_document, read_nested, read_table, row_of
from tevo.errors import TevoError


@pytest.fixture
def file(tmp_path):
    def file(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return file


def values(path):
    return [dict(row.values) for row in read_table(path)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_a_byte_order_mark_make_no_difference(file, mark, end):
    lines = [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}]
    assert values(file("a.jsonl", mark + end.join(map(json.dumps, lines)) + end)) == lines
    assert values(file("a.json", mark + json.dumps(lines, indent=1).replace("\n", end))) == lines
    if end != "\r":
        cells = mark + end.join(["id,text", "1,a", "2,b"]) + end
        assert values(file("a.csv", cells)) == [{"id": "1", "text": "a"}, {"id": "2", "text": "b"}]
        assert values(file("a.tsv", cells.replace(",", "\t"))) == [{"id": "1", "text": "a"}, {"id": "2", "text": "b"}]


def test_a_separator_inside_a_text_ends_no_line(file):
    assert values(file("a.jsonl", '{"text": "a\u2028b\x85c"}\n')) == [{"text": "a\u2028b\x85c"}]
    assert values(file("a.csv", 'id,text\n1,"a\nb"\n')) == [{"id": "1", "text": "a\nb"}]


def test_a_line_that_is_cut_off_is_a_row_that_cannot_be_read(file):
    rows = list(read_table(file("a.jsonl", '{"id": 1}\n\n[2]\n{"id": 3, "text": "cut of')))
    assert [row.where for row in rows] == ["line 1", "line 3", "line 4"]
    assert rows[0] == Row("line 1", {"id": 1})
    assert rows[1].problem == "a JSON list, wanted an object {...}"
    assert rows[2].problem.startswith("not JSON (Unterminated string")
    assert rows[2].problem.endswith('it begins \'{"id": 3, "text": "cut of\'')


def test_cells_that_fit_no_header_are_a_row_that_cannot_be_read(file):
    rows = list(read_table(file("a.csv", "id,text\n1,a,b\n\n2\n3,c\n")))
    assert [(row.where, row.problem) for row in rows] == [
        ("line 2", "3 cells under 2 columns"),
        ("line 4", "1 cells under 2 columns"),
        ("line 5", ""),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", '[{"id": 1}, {"id"', "a.json is not complete JSON"),
        ("a.json", '{"rows": []}', "holds a JSON dict, wanted a list of rows"),
        ("a.json", "[" * 100_000, "nested too deeply"),
        ("a.json", '[{"v": 1, "v": 2}]', "the key 'v' stands twice in one object"),
        ("a.json", b"\xff\xfe[\x00]\x00", "cannot be read as text .*UTF-8"),
        ("a.csv", 'id,text\n1,"never closed', "line 2: not CSV"),
        ("a.csv", "id,id\n1,2\n", "two columns have one name"),
        ("a.xlsx", "", "is none of .json, .jsonl, .csv, .tsv, .parquet"),
        ("a.parquet", "no", "cannot be read as Parquet|needs pyarrow"),
    ],
)
def test_a_file_without_a_single_row_to_blame_is_refused(file, name, content, message):
    with pytest.raises(TevoError, match=message):
        list(read_table(file(name, content)))


def test_a_key_that_stands_twice_in_a_line_costs_that_line_alone(file):
    first, second = read_table(file("a.jsonl", '{"v": 1, "v": 2}\n{"v": 3}'))
    assert "'v' stands twice" in first.problem
    assert second.values == {"v": 3}


def test_parquet_is_read_by_pyarrow(file, monkeypatch):
    """The library itself is no dependency: what is called of it is what is checked."""
    table = SimpleNamespace(to_pylist=lambda: [{"id": 1}, None])
    parquet = SimpleNamespace(read_table=lambda path: {"a.parquet": table}[path.name])
    monkeypatch.setitem(sys.modules, "pyarrow", SimpleNamespace(parquet=parquet))
    first, second = read_table(file("a.parquet", "PAR1"))
    assert first == Row("row 1", {"id": 1})
    assert "NoneType" in second.problem


def test_parquet_without_pyarrow_says_what_to_install(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(TevoError, match="pip install pyarrow"):
        list(read_table(file("a.parquet", "PAR1")))


def test_an_object_is_taken_apart_and_a_list_is_read_as_it_is(file):
    def unfold(content):
        return [row_of(name, {"n": n}, {"of": name}) for name, found in content.items() for n in found]

    nested = read_nested(file("a.json", '{"v1": [1, 2], "v2": [3]}'), unfold)
    assert [row.values for row in nested] == [{"of": "v1", "n": 1}, {"of": "v1", "n": 2}, {"of": "v2", "n": 3}]
    assert [row.values for row in read_nested(file("b.json", '[{"n": 1}]'), unfold)] == [{"n": 1}]
    assert [row.values for row in read_nested(file("b.jsonl", '{"n": 1}'), unfold)] == [{"n": 1}]


def test_a_document_is_read_whole(file):
    assert read_document(file("a.json", '\ufeff{"a": [1, 2.5]}')) == {"a": [1, 2.5]}
