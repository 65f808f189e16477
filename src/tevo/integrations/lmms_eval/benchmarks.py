"""What the task files in ``tasks/`` call: rows from tevo's readers, prompts, and figures from tevo's scorers.

The annotations and the videos lie where the environment variable ``TEVO_BENCHMARKS`` says: a folder with one folder a
benchmark (``nextgqa``, ``rextime``, ...), which holds the annotations as they were published, and ``videos/``.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from tevo.data.readers import BenchmarkQuestions, read_benchmark
from tevo.errors import TevoError
from tevo.metrics.answered import answered
from tevo.metrics.protocols import scorer
from tevo.prompts.replies import plain_letter, plain_spans
from tevo.prompts.solver import list_options
from tevo.structures import Question

log = logging.getLogger(__name__)
FOLDER = "TEVO_BENCHMARKS"
UNPARSED = "unparsed"
FIGURES: Mapping[str, Mapping[str, str]] = {
    "nextgqa": {
        "official_acc_gqa": "Acc&GQA",
        "official_miop": "mIoP",
        "official_iop@0.3": "TIoP@0.3",
        "official_iop@0.5": "TIoP@0.5",
        "official_miou": "mIoU",
        "official_iou@0.3": "TIoU@0.3",
        "official_iou@0.5": "TIoU@0.5",
        UNPARSED: UNPARSED,
    },
    "rextime": {
        "official_vqa": "VQA",
        "official_miou": "mIoU",
        "official_r1@0.3": "R1@0.3",
        "official_r1@0.5": "R1@0.5",
        "official_vqa_iou@0.5": "VQA,mIoU@0.5",
        UNPARSED: UNPARSED,
    },
    "qvhighlights": {
        "tevo_map": "mAP",
        "tevo_map@0.5": "mAP@0.5",
        "tevo_map@0.75": "mAP@0.75",
        "tevo_r1@0.5": "R1@0.5",
        "tevo_r1@0.7": "R1@0.7",
        UNPARSED: UNPARSED,
    },
    "tvgbench": {
        "official_miou": "mIoU",
        "official_r1@0.3": "R1@0.3",
        "official_r1@0.5": "R1@0.5",
        "official_r1@0.7": "R1@0.7",
        UNPARSED: UNPARSED,
    },
    "vnbench": {"official_overall": "Overall", UNPARSED: UNPARSED},
    "anet_rtl": {"official_miou": "mIoU", "official_p@0.5": "P@0.5", UNPARSED: UNPARSED},
}
"""Benchmark -> lmms-eval's name of a metric -> the scorer's name of its figure. The first word is the protocol."""


def make_rows(dataset: Any) -> Any:  # noqa: ANN401 (a `datasets.Dataset`, of a library that may be absent)
    """The benchmark's questions as rows, in the place of the one row that names the benchmark.

    Raises:
        TevoError: where ``TEVO_BENCHMARKS`` is not set, or holds no such benchmark.
    """
    name = str(dataset[0]["benchmark"])
    found = _read(name, os.environ.get(FOLDER, ""))
    if found.report.is_partial or found.report.notes:
        log.warning("%s", found.report)
    return type(dataset).from_list([_row(name, question) for question in found.questions])


@lru_cache
def _read(name: str, folder: str) -> BenchmarkQuestions:
    if not folder:
        raise TevoError(
            f"{FOLDER} is not set: give a folder in which {name}/ holds the annotations of {name} and {name}/videos/ "
            "its videos"
        )
    return read_benchmark(name, Path(folder) / name, Path(folder) / name / "videos")


def _row(name: str, question: Question) -> dict[str, Any]:
    letter = ascii_uppercase[question.answer_index] if question.answer_index >= 0 else question.answer
    shown = [] if question.shown is None else [question.shown.start_s, question.shown.end_s]
    return {
        "benchmark": name,
        "qid": question.id,
        "video": question.video,
        "shown": shown,
        "question": question.text,
        "options": list(question.options),
        "answer": letter,
        "relevant_windows": [[span.start_s, span.end_s] for span in question.evidence],
    }


def videos_of(row: Mapping[str, Any]) -> list[str]:
    """For models of lmms-eval that are not asked by chat: the video's file."""
    return [row["video"]]


def prompt_of(row: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    """The question and its options between the task's ``pre_prompt`` and ``post_prompt``."""
    lines = [row["question"], *([list_options(row["options"])] if row["options"] else [])]
    return texts["pre_prompt"] + "\n".join(lines) + texts["post_prompt"]


def messages_of(row: Mapping[str, Any], lmms_eval_specific_kwargs: Mapping[str, str]) -> list[dict[str, Any]]:
    """The same as a chat; where the benchmark shows a part of a video, its bounds are said."""
    part = dict(zip(("start_time", "end_time"), row["shown"], strict=False))
    video = {"type": "video", "url": row["video"], **part}
    text = {"type": "text", "text": prompt_of(row, lmms_eval_specific_kwargs)}
    return [{"role": "user", "content": [video, text]}]


def target_of(row: Mapping[str, Any]) -> str:
    """What is right, for the log of samples."""
    return f"{row['answer']} {row['relevant_windows']}".strip()


def read_reply(row: Mapping[str, Any], results: Sequence[str]) -> dict[str, dict[str, Any]]:
    """A reply as tevo reads it, under the name of every metric; :func:`figure` makes a number of them all."""
    reply, options = results[0], row["options"]
    spans = plain_spans(reply, 0.0)
    prediction: dict[str, Any] = {
        "qid": row["qid"],
        "pred_relevant_windows": [[*span, 1 / rank] for rank, span in enumerate(spans, start=1)],
    }
    if options:
        prediction["pred_answer"] = plain_letter(reply, options)
    item = {"benchmark": row["benchmark"], "prediction": prediction}
    return {metric: item | {"figure": name} for metric, name in FIGURES[row["benchmark"]].items()}


def figure(items: Sequence[Mapping[str, Any]]) -> float:
    """One figure of the benchmark's scorer over the replies, in its own scale; or per cent of replies unparsed."""
    name, wanted = items[0]["benchmark"], items[0]["figure"]
    asked = {question.id: question for question in _read(name, os.environ.get(FOLDER, "")).questions}
    predictions = [item["prediction"] for item in items]
    if wanted == UNPARSED:
        return 100 * sum(_is_unparsed(prediction) for prediction in predictions) / len(predictions)
    protocol = next(metric.partition("_")[0] for metric, figure in FIGURES[name].items() if figure == wanted)
    rows = [answered(asked[prediction["qid"]], prediction) for prediction in predictions]
    return scorer(name, protocol)(rows).figures[wanted].value


def _is_unparsed(prediction: Mapping[str, Any]) -> bool:
    """Whether neither letter (where options were given) nor span (where none were) was found."""
    return not prediction.get("pred_answer", prediction["pred_relevant_windows"])
