"""Vectors of answers with evidence: NExT-GQA, ReXTime, CG-Bench, QVHighlights."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tevo.metrics.answered import Answered
from tevo.metrics.overlap import nextgqa_best
from tevo.metrics.tables import cgbench, rextime
from tevo.metrics.tables import nextgqa as nextgqa_tables
from tevo.metrics.tables.highlights import qvhighlights
from vector_checks.answers import letter
from vector_checks.vector import Compared, Outcome, Vector


def nextgqa_rows(gt: dict[str, Any], ground: dict[str, Any], qa: dict[str, Any], shares: bool) -> list[Answered]:
    """Annotated questions with spans and answers; spans may be shares of the video, as with ``gs``."""
    rows = []
    for video, annotation in gt.items():
        for number, spans in annotation["location"].items():
            qid, row = f"{video}_{number}", None
            if qid in ground:
                times = ground[qid]
                if shares:
                    times = np.round(np.asarray(times) * annotation["duration"], 1).tolist()
                row = {"pred_relevant_windows": [[times[0], times[-1]]]}
                if qid in qa:
                    answer = qa[qid]
                    row |= {"pred_answer": answer["prediction"], "true_answer": letter(answer["answer"])}
            rows.append(Answered(qid, video, true_spans=tuple(map(tuple, spans)), row=row))
    return rows


def nextgqa(vector: Vector, outcome: Outcome) -> Iterator[Compared]:
    """The official table as printed and in full, and every question's best overlaps."""
    given, gs = vector.expected, bool(vector.expected.get("gs"))
    gt = vector.shared("_gs", "gt") if gs else vector.gt
    pred = vector.pred
    ground, qa = pred["ground_normalised" if gs else "ground"], pred["qa"]
    rows = nextgqa_rows(gt, ground, qa, shares=gs)
    scored = nextgqa_tables.official(rows)
    for name, value in given.get("printed_1dp", {}).items():
        yield Compared(f"printed {name}", scored.figures[name].rounded, value)
    for name, value in given["full_precision"].items():
        yield Compared(name, scored.values()[name], value)
    spans_alone = nextgqa_tables.official(nextgqa_rows(gt, ground, {}, gs)).values()
    for name, value in given.get("no_qa", {}).items():
        yield Compared(f"without answers {name}", spans_alone[name], value)
    if "n_counted" in given:
        yield Compared("counted", sum(value is not None for value in scored.columns["IoU"]), given["n_counted"])
        yield Compared("annotated", len(rows), given["n_gt"])
    by_id = {row.qid: row for row in rows}
    for qid, theirs in given.get("per_sample", {}).items():
        times = [time for window in (by_id[qid].row or {})["pred_relevant_windows"] for time in window]
        best = nextgqa_best(times, by_id[qid].true_spans)
        yield Compared(f"{qid} IoU", best[0], theirs["max_IoU"])
        yield Compared(f"{qid} IoP", best[1], theirs["max_IoP"])


def rex_time(vector: Vector, outcome: Outcome) -> Iterator[Compared]:
    """ReXTime: windows in points with two decimals, answers as shares."""
    pred = {row["qid"]: row for row in vector.pred}
    rows = [
        Answered(
            row["qid"],
            row["vid"],
            truth=row["ans"],
            true_spans=tuple(map(tuple, row["relevant_windows"])),
            row=pred[row["qid"]] | {"pred_answer": pred[row["qid"]]["ans"]},
        )
        for row in vector.gt
    ]
    ours = rextime.official(rows).values()
    given = vector.expected
    full = given["full"]
    theirs = {f"brief {name}": (name, value) for name, value in given["brief"].items()}
    theirs |= {"VQA": ("VQA", given["VQA"]), "full mIoU": ("mIoU", full["MR-mIoU"])}
    theirs |= {f"full R1@{name}": (f"R1@{name}", value) for name, value in full["MR-R1"].items()}
    theirs |= {f"full {name}": (name, value) for name, value in full["VQA,mIoU"].items()}
    for figure, (name, value) in theirs.items():
        short = name.removeprefix("MR-full-")
        yield Compared(figure, ours[short], value, None if short.startswith("VQA") else 2)


def cg_bench(vector: Vector, outcome: Outcome) -> Iterator[Compared]:
    """CG-Bench by question, by its repository, by VLMEvalKit and its bins of minutes."""
    given = vector.expected
    pred = {row["qid"]: row for row in vector.pred}
    rows = [
        Answered(
            str(row["qid"]),
            row["video_uid"],
            options=tuple(row["choices"]),
            truth=row["right_answer"],
            true_spans=tuple(map(tuple, row["clue_intervals"])),
            duration_s=row["duration"],
            row=pred[row["qid"]],
        )
        for row in vector.gt
    ]
    scored = {"repo": cgbench.repository(rows), "vlmevalkit": cgbench.vlmevalkit(rows)}
    for number, case in enumerate(given["per_question"]):
        for name, value in case.items():
            if name == "qid":
                continue
            scorer, mode = name.split(".")
            ours = scored[scorer].columns["IoU" if mode == "miou" else mode][number]
            yield Compared(f"{case['qid']} {name}", ours, None if value == -1 else value)
    repository = next(value for name, value in given.items() if name.startswith("repo"))
    for name, value in repository.items():
        yield Compared(f"repo {name}", scored["repo"].values()[name.split("(")[0]], value)
    for name, value in given["vlmevalkit"].items():
        yield Compared(f"vlmevalkit {name}", scored["vlmevalkit"].values()[name], value)
    for name, bins in given["vlmevalkit_by_duration"].items():
        for label, value in bins.items():
            inside = [cgbench.minutes(row.duration_s) == label for row in rows]
            columns = {
                column: tuple(v for v, kept in zip(values, inside, strict=True) if kept)
                for column, values in scored["vlmevalkit"].columns.items()
            }
            yield Compared(f"{name} {label}", cgbench.vlmevalkit_figures(columns)[name], float(value))


def qv_highlights(vector: Vector, outcome: Outcome) -> Iterator[Compared]:
    """QVHighlights: every figure has two decimals."""
    pred = {row["qid"]: row for row in vector.pred}
    rows = [
        Answered(
            str(row["qid"]),
            row["vid"],
            true_spans=tuple(map(tuple, row["relevant_windows"])),
            duration_s=row["duration"],
            extra={name: row[name] for name in ("relevant_clip_ids", "saliency_scores") if name in row},
            row=pred[row["qid"]],
        )
        for row in vector.gt
    ]
    ours = qvhighlights(rows).values()
    given = vector.expected
    for name, value in given.get("brief", {}).items():
        yield Compared(f"brief {name}", ours[_full_name(name)], value, 2)
    for part, table in given.items():
        if part.startswith("HL-min-"):
            for name, value in table.items():
                yield Compared(f"{part} {name}", ours[_full_name(f"{part}-{name[3:]}")], value, 2)
        elif part != "brief":
            for kind, figures in table.items():
                for threshold, value in figures.items():
                    name = f"{part} {kind[3:]}" + ("" if threshold == "average" else f"@{threshold}")
                    yield Compared(name, ours[name], value, 2)


def _full_name(brief: str) -> str:
    """``MR-full-mAP@0.5`` -> ``full mAP@0.5``; ``HL-min-Fair-Hit1`` -> ``HL-Fair HIT@1``."""
    if brief.startswith("HL-min-"):
        rating, metric = brief.removeprefix("HL-min-").split("-")
        return f"HL-{rating} {'HIT@1' if metric == 'Hit1' else metric}"
    length, metric = brief.removeprefix("MR-").split("-")
    return f"{length} {metric}"
