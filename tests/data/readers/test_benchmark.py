import pytest

from tevo.data.readers.benchmark import NUMBER, Column, Layout, as_column, gathered, joined, maybe

ROW = {"a": 1, "b": None, "c": "x"}


def test_a_name_is_that_column():
    assert as_column("c").read(ROW) == "x"
    assert not as_column("d").is_in(ROW)


def test_columns_together():
    assert joined("a", "c").read(ROW) == "1_x"
    assert gathered("a", "b", "c").read(ROW) == [1, None, "x"]
    with pytest.raises(ValueError, match="missing"):
        joined("a", "b").read(ROW)


def test_the_first_of_several_that_is_there():
    assert maybe("d", "c", "a").read(ROW) == "x"
    assert maybe("d").read(ROW) is None
    assert maybe("d").optional


def test_columns_that_follow_are_none_where_a_row_has_not_got_them():
    assert Column(("a",), lambda *values: values, also=("c", "d")).read(ROW) == (1, "x", None)
    assert Column((), lambda *values: values, also=("d",)).read(ROW) == (None,)


def test_a_layout_knows_what_it_needs_and_what_it_reads():
    layout = Layout(
        id=joined("v", "q"),
        video="v",
        text="t",
        duration_s=maybe("d"),
        shown=Column((), lambda start: start, also=("start",)),
        groups={"task": "type"},
        extra=("try",),
        ignored=("url",),
    )
    assert {name for column in layout.required for name in column.names} == {"v", "q", "t", "type"}
    assert {"v", "q", "t", "d", "start", "type", "try", "url", NUMBER} <= layout.known
