import re

import pytest

from tevo.errors import TevoError
from tevo.report import write_report

FILES = ("metrics.json", "questions.jsonl", "predictions.jsonl", "bad_videos.jsonl", "config.yaml")


def test_the_page_is_one_file_that_needs_nothing(run_dir):
    path = write_report(run_dir)
    page = path.read_text()
    assert path == run_dir / "report.html"
    assert not re.search(r"<script|https?://|<link[^>]+href=\"(?!data:)|url\(", page)
    assert "default-src 'none'" in page
    assert page.count("<article") == 10 and page.count('<img src="data:image/jpeg') == 10


@pytest.mark.parametrize("missing", FILES)
def test_each_missing_file_is_a_sentence_on_the_page(run_dir, missing):
    (run_dir / missing).unlink()
    assert f"There is no {missing} in the run folder" in write_report(run_dir).read_text()


def test_bad_videos_are_listed_and_many_are_folded_away(run_dir):
    page = write_report(run_dir).read_text()
    assert "decode error at 10.4 s" in page and "<summary>All" not in page
    (run_dir / "bad_videos.jsonl").write_text('{"path": "<x>.mp4", "reason": "empty file"}\n' * 40)
    page = write_report(run_dir).read_text()
    assert "<summary>All 40</summary>" in page and "&lt;x&gt;.mp4" in page


def test_a_run_without_bad_videos_says_so(run_dir):
    (run_dir / "bad_videos.jsonl").write_text("")
    assert "Every video could be read." in write_report(run_dir).read_text()


def test_writing_again_replaces_the_page(run_dir):
    first = write_report(run_dir).read_text()
    assert write_report(run_dir).read_text() == first


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(TevoError, match="is not the folder of a run"):
        write_report(tmp_path)
