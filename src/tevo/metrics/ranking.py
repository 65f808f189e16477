"""Ranked moments and highlights of one query: average precision, R@n, HIT@1 (QVHighlights, VOC 2011).

Written from the definitions; the figures agree with the official scorer on its published samples.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from tevo.errors import TevoError
from tevo.metrics.overlap import Pair, hull_iou

MAP_THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""tIoU .5, .55, ... .95 of mAP."""
MAX_WINDOWS = 10  # of one query; later ones are not looked at
CLIP_S = 2.0  # seconds of one highlight clip
RATERS = 3


def average_precision(
    windows: Sequence[Sequence[float]], true: Sequence[Pair], thresholds: Sequence[float] = MAP_THRESHOLDS
) -> list[float]:
    """Average precision of one query's windows at every tIoU threshold, 0..1.

    Windows are taken by falling score; each matches the best annotated span that is not taken yet, if their IoU
    reaches the threshold. Precision is made non-increasing from the right and summed over the steps of recall
    (VOC 2011, all points).

    Args:
        windows: ``(start, end, score)`` in seconds, the first :data:`MAX_WINDOWS` count.
        true: annotated spans.
        thresholds: of tIoU, with ``>=``.
    """
    ranked = sorted(windows[:MAX_WINDOWS], key=lambda window: -window[2])
    ious = [[_plain_iou(window, truth) for truth in true] for window in ranked]
    return [_voc([*_hits(ious, threshold)], len(true)) for threshold in thresholds]


def _plain_iou(window: Sequence[float], true: Pair) -> float:
    """Union IoU without any guard: a pair of points is NaN, which the ranking puts first, as numpy does."""
    shared = max(0.0, min(window[1], true[1]) - max(window[0], true[0]))
    union = (window[1] - window[0]) + (true[1] - true[0]) - shared
    return shared / union if union else math.nan


def _hits(ious: Sequence[Sequence[float]], threshold: float) -> list[bool]:
    """Whether each window, best score first, finds an annotated span of its own."""
    taken: set[int] = set()
    hits = []
    for row in ious:
        order = sorted(range(len(row)), key=lambda index: (math.isnan(row[index]), row[index], index), reverse=True)
        own = next((index for index in order if row[index] < threshold or index not in taken), None)
        hit = own is not None and not row[own] < threshold
        if hit and own is not None:
            taken.add(own)
        hits.append(hit)
    return hits


def _voc(hits: Sequence[bool], num_true: int) -> float:
    """Area under precision over recall, precision being the best from here on."""
    if not hits or not num_true:
        return 0.0
    found = np.cumsum(hits)
    precision = np.maximum.accumulate((found / np.arange(1, len(hits) + 1))[::-1])[::-1]
    recall = np.concatenate([[0.0], found / num_true])
    return float(np.sum(np.diff(recall) * precision))


def best_truth_iou(window: Sequence[float], true: Sequence[Pair]) -> float:
    """Hull IoU of one window with the annotated span it overlaps best (R@1 of QVHighlights and ReXTime)."""
    chosen = max(true, key=lambda span: (math.isnan(value := _plain_iou(window, span)), value))
    return hull_iou((window[0], window[1]), chosen)


def recall_at_n(windows: Sequence[Pair], true: Sequence[Pair], n: int, threshold: float, strict: bool = False) -> bool:
    """R@n: whether any of the first n windows reaches the threshold with any annotated span (hull IoU)."""
    best = max((hull_iou(window, span) for window in windows[:n] for span in true), default=0.0)
    return best > threshold if strict else best >= threshold


def saliency_grid(
    duration_s: float, clip_ids: Sequence[int], scores: Sequence[Sequence[int]]
) -> Float[np.ndarray, "clip rater"]:
    """Ratings of every two-second clip of a video, 0 where nobody rated.

    Raises:
        TevoError: when there is not one triple of ratings for each clip, or a clip past the end of the video.
    """
    grid = np.zeros((int(duration_s / CLIP_S), RATERS))
    if len(clip_ids) != len(scores) or any(len(ratings) != RATERS for ratings in scores):
        raise TevoError(f"{len(clip_ids)} clips have {len(scores)} ratings, wanted {RATERS} numbers for each clip")
    if len(clip_ids) and not 0 <= min(clip_ids) <= max(clip_ids) < len(grid):
        raise TevoError(f"clips {list(clip_ids)} are rated in a video of {len(grid)} clips ({duration_s:g} s)")
    if len(clip_ids):
        grid[np.asarray(clip_ids)] = np.asarray(scores, dtype=float)
    return grid


def hit_at_one(pred: Sequence[float], positive: Float[np.ndarray, "clip rater"]) -> float:
    """HIT@1: whether any rater finds the clip of the highest predicted score positive; 0 past the last clip."""
    best = int(np.argmax(np.asarray(pred, dtype=float)))
    return float(positive[best].max()) if best < len(positive) else 0.0


def highlight_ap(pred: Sequence[float], positive: Float[np.ndarray, "clip rater"]) -> list[float]:
    """Average precision of predicted saliency for each rater, 0..1; the prediction is cut or padded with 0."""
    scores = np.zeros(len(positive))
    kept = np.asarray(pred, dtype=float)[: len(positive)]
    scores[: len(kept)] = kept
    return [_interpolated_ap(positive[:, rater], scores) for rater in range(positive.shape[1])]


def _interpolated_ap(true: Float[np.ndarray, "clip"], scores: Float[np.ndarray, "clip"]) -> float:
    """Mean of the best precision so far, over the steps at which recall changes; all clips alike are 0 or 1.

    Goes from the lowest score to the highest. Recall is rounded to single precision, as in the source.
    """
    if len(set(true.tolist())) == 1:
        return float(true[0])
    levels = np.unique(scores)
    chosen = scores[None, :] >= levels[:, None]
    found = (chosen & (true[None, :] > 0)).sum(axis=1)
    precision = np.append(found / chosen.sum(axis=1), 1.0)
    recall = np.append(found / true.sum(), 0.0).astype(np.float32)
    precision = np.maximum.accumulate(precision)
    return float(np.mean(precision[np.nonzero(np.diff(recall))[0]]))
