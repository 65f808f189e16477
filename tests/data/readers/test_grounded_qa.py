import csv
import json
import shutil

import pytest

from tevo.data.readers import Reason, read_benchmark
from tevo.errors import TevoError
from tevo.structures import Span


def test_nextgqa_has_the_spans_that_lie_beside_it(annotations):
    found = read_benchmark("nextgqa", annotations / "nextgqa")
    spans = json.loads((annotations / "nextgqa" / "gsub_test.json").read_text())
    with open(annotations / "nextgqa" / "test.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(found.questions) == len(rows) == 40
    for question, row in zip(found.questions, rows, strict=True):
        assert question.id == f"{row['video_id']}_{row['qid']}"
        truth = spans[row["video_id"]]
        assert [[span.start_s, span.end_s] for span in question.evidence] == truth["location"][row["qid"]]
        assert question.duration_s == truth["duration"]
        assert question.options == tuple(row[f"a{n}"] for n in range(5))
        assert question.options[question.answer_index] == question.answer == row["answer"]
        assert question.groups == {"task": (row["type"],)}


def test_nextgqa_videos_lie_in_vidors_folders_or_in_one(annotations, videos):
    root = videos("1101/2574374895.mp4", "NExTVideo/3083302557.mp4")
    found = read_benchmark("nextgqa", annotations / "nextgqa", root)
    assert {question.video for question in found.questions} == {
        str(root / "1101/2574374895.mp4"),
        str(root / "NExTVideo/3083302557.mp4"),
    }
    assert len(found.questions) + len(found.report.about(Reason.MISSING_VIDEO)) == 40


def test_nextgqa_without_its_spans_is_refused(annotations, tmp_path):
    shutil.copy(annotations / "nextgqa" / "test.csv", tmp_path)
    with pytest.raises(TevoError, match=r"spans in gsub_test\.json, which is not beside it"):
        read_benchmark("nextgqa", tmp_path)


def test_nextgqa_questions_that_have_no_span_are_named(annotations, tmp_path):
    shutil.copy(annotations / "nextgqa" / "test.csv", tmp_path)
    (tmp_path / "gsub_test.json").write_text('{"2574374895": {"duration": 30, "location": {"8": [[29.5, 30.4]]}}}')
    report = read_benchmark("nextgqa", tmp_path).report
    assert report.counts[Reason.NO_SPAN] == report.rows - 1
    assert report.about(Reason.OUTSIDE)[0].detail == "[29.5, 30.4] in a video of 0 to 30 s"


def test_nextgqa_of_videochat_r1(read_rows):
    row = {"id": "x", "video": "1101/2574374895.mp4", "question": "?", "options": ["(A) a", "(B) b", "(C) c"]}
    row |= {"duration": 30, "glue": [[1, 2], [4, 5]], "type": "TN", "answer": "(C)"}
    (question,) = read_rows("nextgqa", row).questions
    assert (question.options, question.answer_index) == (("a", "b", "c"), 2)
    assert question.evidence == (Span(1.0, 2.0), Span(4.0, 5.0))


def test_rextime_with_options_and_without(published, read_rows):
    question = published("rextime")["qvh_val9002"]
    assert (question.answer, question.answer_index) == ("The dog shook itself.", 1)
    assert (question.evidence, question.duration_s, question.kind) == ((Span(10.0, 16.0),), 150.0, "open")
    row = {"qid": "q", "query": "Why?", "duration": 9, "vid": "v", "relevant_windows": [[0, 2]], "ans": "C"}
    found = read_rows("rextime", row)
    assert (found.questions[0].answer_index, found.questions[0].evidence) == (2, (Span(0.0, 2.0),))
    assert [note.reason for note in found.report.notes] == [Reason.NO_OPTIONS]


def test_cgbench_has_many_options_and_many_spans(published):
    first, second = published("cgbench").values()
    assert (first.id, len(first.options), first.answer, first.answer_index) == ("14", 5, "White", 4)
    assert (len(second.options), second.answer_index) == (6, 2)
    assert first.evidence == (Span(8.0, 11.0), Span(200.0, 205.0))
    assert (first.groups["minutes"], second.groups["minutes"]) == (("40-50",), ("60+",))
    assert first.groups["domain"] == ("Life Record",)


def test_cgbench_with_a_length_that_is_no_number(read_rows):
    row = {"qid": 1, "video_uid": "v", "question": "?", "choices": ["a", "b"], "right_answer": "A"}
    found = read_rows("cgbench", *(row | {"qid": n, "clue_intervals": [[1, 2]], "duration": d} for n, d in
                                   enumerate([9, float("nan"), None])))  # fmt: skip
    assert [note.reason for note in found.report.notes] == [Reason.BAD_TIME, Reason.BAD_TIME]
