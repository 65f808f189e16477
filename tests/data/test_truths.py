import json
from pathlib import Path

import pytest

from tevo.data.truths import nextgqa_spans, span_files
from tevo.errors import TevoError
from tevo.structures import Span

GSUB = Path(__file__).parent / "vectors" / "nextgqa_gt.json"


def test_a_real_file_of_spans_gives_a_question_a_location():
    content = json.loads(GSUB.read_text())
    found = nextgqa_spans(span_files(GSUB))
    assert len(found) == sum(len(video["location"]) for video in content.values())
    assert found["11681746823_2"].evidence == (Span(0.8, 6.1), Span(8.8, 11.3))
    assert found["11681746823_2"].duration_s == 20


def test_the_files_of_a_folder_and_the_one_beside_a_table(tmp_path):
    for split, video in (("val", "1"), ("test", "2")):
        text = json.dumps({video: {"duration": 9, "location": {"0": [[1, 2]]}}})
        (tmp_path / f"gsub_{split}.json").write_text(text)
    assert set(nextgqa_spans(span_files(tmp_path))) == {"1_0", "2_0"}
    beside = nextgqa_spans(span_files(tmp_path / "val.csv"))
    assert beside["1_0"].groups == {"split": ("val",)}
    assert span_files(tmp_path / "train.csv") == []


@pytest.mark.parametrize("text", ["[]", "{}", '{"v": {"duration": 9}}', "{", '[{"question": "?"}]'])
def test_another_json_file_is_no_file_of_spans(tmp_path, text):
    (tmp_path / "rows.json").write_text(text)
    assert span_files(tmp_path / "rows.json") == []


@pytest.mark.parametrize(
    ("spans", "message"),
    [([[3, 2]], "must not end before"), ([[1]], "wanted"), (["1-2"], "wanted"), ([[0, "x"]], "wanted")],
)
def test_a_damaged_span_is_named(tmp_path, spans, message):
    file = tmp_path / "gsub_val.json"
    file.write_text(json.dumps({"v": {"duration": 9, "location": {"4": spans}}}))
    with pytest.raises(TevoError, match=f"'v_4'.*{message}"):
        nextgqa_spans([file])


def test_an_id_in_two_files_is_refused(tmp_path):
    for split in ("val", "test"):
        (tmp_path / f"gsub_{split}.json").write_text(json.dumps({"v": {"duration": 9, "location": {"4": [[0, 1]]}}}))
    with pytest.raises(TevoError, match="stands in another"):
        nextgqa_spans(span_files(tmp_path))
