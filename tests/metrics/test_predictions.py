"""Files that anyone may have written: every layout is read, and what cannot be used is named."""

import json

import pytest

from tevo.errors import TevoError
from tevo.metrics import read_predictions


def written(tmp_path, content, name="pred.json"):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_rows_are_one_json_object_a_line(tmp_path):
    lines = ['{"qid": 7, "pred_relevant_windows": [[0, 1, 0.5], [2, 3]]}', "", '{"qid": "b", "response": "B"}', ""]
    found = read_predictions(written(tmp_path, "\n".join(lines), "pred.jsonl"))
    assert found.num_rows == 2
    assert found.problems == found.duplicates == ()
    assert found.rows["7"]["pred_relevant_windows"] == [(0, 1, 0.5), (2, 3)]
    assert found.rows["b"]["response"] == "B"


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_byte_order_mark_and_other_line_ends_are_read(tmp_path, ending):
    text = "\ufeff" + ending.join(['{"qid": "a", "response": "A\u2028B"}', '{"qid": "b", "response": "B"}'])
    found = read_predictions(written(tmp_path, text.encode("utf-8"), "pred.jsonl"))
    assert list(found.rows) == ["a", "b"]
    assert found.problems == ()


@pytest.mark.parametrize(
    "content",
    [
        [{"question_id": "a", "pred_spans": [[1, 2]], "ans": "A"}],
        {"results": [{"uid": "a", "pred_spans": [[1, 2]], "pred_answer": "A"}]},
        {"a": {"pred_relevant_windows": [[1, 2]], "ans": "A"}},
        {"ground": {"a": [1, 2]}, "qa": {"a": {"pred_answer": "A"}}},
        {"ground_any": {"a": [1, 1.5, 2]}, "qa": {"a": {"pred_answer": "A"}}},
    ],
)
def test_published_layouts_are_one_row(tmp_path, content):
    row = read_predictions(written(tmp_path, content)).rows["a"]
    assert row["pred_relevant_windows"] == [(1, 2)]
    assert row["pred_answer"] == "A"


def test_answers_and_replies_by_id(tmp_path):
    rows = read_predictions(written(tmp_path, {"a": {"prediction": 2, "answer": 1}, "b": "<answer>B</answer>"})).rows
    assert rows["a"] == {"qid": "a", "pred_answer": 2, "true_answer": 1}
    assert rows["b"] == {"qid": "b", "response": "<answer>B</answer>"}


def test_the_last_row_of_an_id_counts_and_is_named(tmp_path):
    found = read_predictions(written(tmp_path, [{"qid": "a", "ans": "A"}, {"qid": "a", "ans": "B"}]))
    assert found.rows["a"]["pred_answer"] == "B"
    assert found.duplicates == ("a",)
    assert found.num_rows == 2


def test_what_cannot_be_used_is_named_with_its_place(tmp_path):
    lines = [
        '{"qid": "good", "ans": "A"}',
        "[1, 2]",
        '{"id": null, "ans": "A"}',
        '{"qid": "spans", "pred_relevant_windows": [[0, NaN], [5], [1, 2]]}',
        '{"qid": "kind", "ans": ["A"], "response": 3, "pred_spans": "0-5", "pred_saliency_scores": [1, "x"]}',
        '{"qid": "twice", "qid": "once"}',
        '{"qid": "trunca',
    ]
    found = read_predictions(written(tmp_path, "\n".join(lines), "pred.jsonl"))
    assert list(found.rows) == ["good", "spans", "kind"]
    assert found.rows["spans"]["pred_relevant_windows"] == [(1, 2)]
    assert found.rows["kind"]["pred_relevant_windows"] == []
    said = "\n".join(found.problems)
    for part in (
        "line 2:",
        "line 3: no `qid`",
        "line 4:",
        "nan",
        "line 5: `pred_answer`",
        "line 6:",
        "twice",
        "line 7:",
    ):
        assert part in said
    assert len(found.problems) == 10
    assert found.num_rows == 7


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("", "pred.jsonl", "no prediction that can be used"),
        ("[]", "pred.json", "no prediction that can be used"),
        ('"A"', "pred.json", "JSON str"),
        ('{"a": [1, 2]', "pred.json", "not complete JSON"),
        ('{"a": [1, 2], "a": [3, 4]}', "pred.json", "stands twice"),
        ("[" * 100_000, "pred.json", "nested too deeply"),
        (b"\xff\xfe\x00", "pred.json", "UTF-8"),
    ],
)
def test_a_file_without_predictions_is_refused(tmp_path, content, name, message):
    with pytest.raises(TevoError, match=message):
        read_predictions(written(tmp_path, content, name))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(TevoError, match="no prediction file"):
        read_predictions(tmp_path / "absent.jsonl")
