"""Which scorer a benchmark has under which protocol: one table; every benchmark has ``tevo``."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Literal, get_args

from tevo.errors import TevoError
from tevo.metrics.answered import Answered
from tevo.metrics.tables import cgbench, highlights, moments, nextgqa, plain, rextime
from tevo.metrics.tables.base import Scored, Table
from tevo.metrics.tables.choices import MLVU_DEV, MLVU_TEST, Choices, nextqa
from tevo.metrics.tables.onethinker import onethinker
from tevo.metrics.tables.together import CATEGORIES, Together, causal_vidqa, try_sample
from tevo.metrics.tables.zoom_zero import ZoomZero

Protocol = Literal["official", "video_zero", "zoom_zero", "onethinker", "lmms_eval", "vlmevalkit", "tevo"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)


def _mlvu_lmms(rows: Sequence[Answered]) -> Scored:
    """lmms-eval's mean over the tasks of MLVU's dev set or, where its tasks occur, of its test set."""
    is_test = any(row.task in set(MLVU_TEST) - set(MLVU_DEV) for row in rows)
    return Choices("lmms_eval/abcd", macro="M-Avg", tasks=MLVU_TEST if is_test else MLVU_DEV)(rows)


def _pair_sample(row: Answered) -> str:
    """VideoMathQA's multi-binary rows: one id for all pairs of a question."""
    return str(row.extra.get("question_id", row.qid))


def _mathqa(letters: str, otherwise: Table) -> Table:
    """VideoMathQA: with two options a row (multi-binary), a question is right only if all its pairs are."""

    def table(rows: Sequence[Answered]) -> Scored:
        binary = bool(rows) and all(len(row.options) == 2 for row in rows)
        return (Together(letters, _pair_sample, size=None, macro=False, scale=100.0) if binary else otherwise)(rows)

    return table


_SUITE: dict[str, Table] = {"onethinker": onethinker, "video_zero": onethinker}  # one scorer, two papers
_LMMS_LETTERS = Choices("lmms_eval/abcd")
_LONG = {"zoom_zero": Choices("zoom_zero/long", scale=1.0, decimals=4)}
_VIDEOMME: dict[str, Table] = {
    "official": Choices("official/videomme", "duration", decimals=1),
    "lmms_eval": Choices("lmms_eval/abcd", "duration", decimals=1),
    "vlmevalkit": Choices("vlmevalkit/videomme", "duration", scale=1.0, decimals=3),
    **_LONG,
}
SCORERS: Mapping[str, Mapping[str, Table]] = MappingProxyType(
    {
        "activitynet_captions": {"official": moments.TIMECHAT, **_SUITE},
        "anet_rtl": {"official": moments.lita, **_SUITE},
        "causal_vidqa": {"official": causal_vidqa},
        "cgbench": {
            "official": cgbench.repository,
            "vlmevalkit": cgbench.vlmevalkit,
            "zoom_zero": ZoomZero("zoom_zero/cgbench"),
            "lmms_eval": Choices("lmms_eval/cgbench"),
        },
        "charades_sta": {"official": moments.TIMECHAT, "lmms_eval": moments.LMMS_CHARADES, **_SUITE},
        "longvideo_reason": _SUITE,
        "longvideobench": {
            "lmms_eval": Choices("lmms_eval/longvideobench", "duration", scale=1.0, decimals=5),
            "vlmevalkit": Choices("vlmevalkit/longvideobench", "duration", scale=1.0, decimals=3),
        },
        "lsdbench": {
            "official": Choices("official/lsdbench"),
            "video_zero": Choices("video_zero/vnbench", skips_missing=True),
            "lmms_eval": Choices("lmms_eval/lsdbench"),
        },
        "lvbench": {
            "official": Choices("official/lvbench", skips_missing=True, scale=1.0, decimals=4),
            "lmms_eval": _LMMS_LETTERS,
            **_LONG,
        },
        "mlvu": {"official": Choices("official/mlvu", macro="M-Avg"), "lmms_eval": _mlvu_lmms, **_LONG},
        "mmvu": _SUITE,
        "mvbench": {"lmms_eval": Choices("lmms_eval/mvbench", macro="task mean", skips_empty=True)},
        "nextgqa": {
            "official": nextgqa.official,
            "video_zero": nextgqa.video_zero,
            "zoom_zero": ZoomZero("zoom_zero/nextgqa"),
        },
        "nextqa": {"official": nextqa("tevo"), "lmms_eval": Choices("lmms_eval/nextqa")},
        "qvhighlights": {"official": highlights.qvhighlights, "tevo": plain.plain_highlights},
        "rextime": {"official": rextime.official, "zoom_zero": rextime.zoom_zero},
        "tvbench": {"lmms_eval": Choices("lmms_eval/tvbench", macro="task mean")},
        "tvgbench": {"official": moments.TIME_R1},
        "video_holmes": {
            "official": Choices("official/video_holmes"),
            "lmms_eval": Choices("lmms_eval/video_holmes"),
        },
        "videomathqa": {
            "lmms_eval": _mathqa("lmms_eval/videomathqa", Choices("lmms_eval/videomathqa")),
            "tevo": _mathqa("tevo", plain.plain),
            **_SUITE,
        },
        "videomme": _VIDEOMME,
        "videomme_long": _VIDEOMME,
        "videommmu": _SUITE,
        "vnbench": {
            "official": Together("official/vnbench", try_sample, skips_missing=True),
            "video_zero": Together("video_zero/vnbench", try_sample, categories=CATEGORIES),
            "tevo": Together("tevo", try_sample, size=None, categories=CATEGORIES, scale=100.0),
        },
        "vstar": {"official": moments.VSTAR},
    }
)
"""Benchmark -> protocol -> scorer. Absent pairs are absent in the field: that code does not score that benchmark."""


def protocols_of(benchmark: str) -> list[str]:
    """The protocols that a benchmark can be scored under, ``tevo`` last."""
    return [name for name in PROTOCOLS if name in SCORERS.get(benchmark, {}) or name == "tevo"]


def scorer(benchmark: str, protocol: str) -> Table:
    """The scorer of a benchmark under a protocol; a benchmark that is not in the table has ``tevo`` alone.

    Raises:
        TevoError: when there is none.
    """
    found = SCORERS.get(benchmark, {}).get(protocol)
    if found is not None:
        return found
    if protocol == "tevo":
        return plain.plain
    there = protocols_of(benchmark)
    close = get_close_matches(protocol, there, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise TevoError(f"{benchmark!r} is not scored under {protocol!r}; {hint}its protocols are {', '.join(there)}")
