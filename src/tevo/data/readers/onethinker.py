"""The rows of OneThinker's evaluation, which Video-Zero uses for seven benchmarks: one layout, many kinds of task."""

import json
import re

from tevo.data.readers.benchmark import Column, Layout, maybe
from tevo.data.readers.report import Reason, RowProblem
from tevo.data.readers.values import repeat

_TAGGED = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
_TEMPORAL = "temporal grounding"
_SPATIAL = ("spatial grounding", "spatial-temporal grounding", "tracking", "segmentation")


def tagged(solution: str) -> str:
    """What stands between ``<answer>`` and ``</answer>``; the whole text where there are no tags."""
    found = _TAGGED.search(solution)
    return (found.group(1) if found else solution).strip()


def _video(path: object, data_type: object) -> object:
    if data_type != "video":
        raise RowProblem(Reason.BAD_VALUE, f"`data_type` is {repeat(data_type)}; questions about videos are read")
    return path


def _options(problem_type: str, options: object) -> object:
    if problem_type == "multiple choice" and not options:
        raise RowProblem(Reason.NO_OPTIONS, f"a multiple-choice question with the options {repeat(options)}")
    return options


def _answer(solution: str, problem_type: str) -> str | None:
    if problem_type in _SPATIAL:
        raise RowProblem(Reason.BAD_VALUE, f"`problem_type` is {repeat(problem_type)}; boxes are not read")
    return None if problem_type == _TEMPORAL else tagged(solution)


def _spans(solution: str, problem_type: str) -> object:
    return json.loads(tagged(solution))["time"] if problem_type == _TEMPORAL else None


ONETHINKER = Layout(
    video=Column(("path", "data_type"), _video),
    text="problem",
    options=Column(("problem_type",), _options, also=("options",)),
    answer=Column(("solution", "problem_type"), _answer),
    spans=Column(("solution", "problem_type"), _spans, optional=True),
    groups={"task": "problem_type"},
    duration_s=maybe("duration"),
    ignored=("additional_path", "problem_id", "data_source"),
)
