"""Vectors of answers: accuracies by type, duration and task, grouped questions, OneThinker's typed answers."""

from collections.abc import Iterator
from typing import Any

from tevo.metrics.answered import Answered
from tevo.metrics.tables import choices, together
from tevo.metrics.tables.base import by_group, mean
from tevo.metrics.tables.onethinker import onethinker_score
from tevo.prompts.replies import LETTER_PARSERS
from vector_checks.parsing import a_letter, note
from vector_checks.vector import Compared, Outcome, Vector

NEXT_NAMES = {
    **{"Why": "CW", "How": "CH", "Bef&Aft": "TN", "When": "TC", "Cnt": "DC", "Loc": "DL", "Other": "DO"},
    **{name: name for name in ("Acc", "Acc_C", "Acc_T", "Acc_D")},
}


def structured(qid: str, kind: str, found: dict[str, Any] | None, truth: Any = None, video: str = "") -> Answered:
    """A row of ``{"answer": i, "prediction": j}``."""
    index = found["answer"] if found else truth
    row = {"pred_answer": found["prediction"], "true_answer": letter(found["answer"])} if found else None
    return Answered(qid, video, kind, truth=letter(index), row=row)


def letter(index: int) -> str:
    return chr(ord("A") + index)


def next_printed(vector: Vector, outcome: Outcome) -> Iterator[Compared]:
    """NExT-QA and NExT-GQA: accuracies by type as printed, two decimals."""
    given = vector.expected
    if "types" in given:
        pred = vector.shared("_accuracy", "pred")["qa"]
        rows = [structured(qid, kind, pred[qid]) for qid, kind in given["types"].items()]
    else:
        pred = vector.pred
        keys = [(f"{row['video']}_{row['qid']}", row["type"]) for row in vector.gt]
        rows = [structured(qid, kind, pred[qid]) for qid, kind in keys]
    ours = choices.nextqa("tevo")(rows).values()
    names, figures, last = given["stdout"].strip().splitlines()
    printed = dict(zip(names.split("\t"), figures.split("\t"), strict=True)) | dict([last.split(": ")])
    for name, value in printed.items():
        if name.strip():
            yield Compared(name, ours[NEXT_NAMES[name]], float(value), 2)


def causal_vidqa(vector: Vector, outcome: Outcome) -> Iterator[Compared]:
    """Causal-VidQA in points, two decimals where they were printed."""
    kinds = ("D", "E", "PA", "PR", "CA", "CR")
    keys = [(key, *key.rsplit("_", 1)) for key in vector.pred]
    rows = [structured(key, kinds[int(part)], vector.pred[key], video=video) for key, video, part in keys]
    ours = together.causal_vidqa(rows).values()
    for name, value in vector.expected["percent"].items():
        yield Compared(name, ours[name], value, 2)


def vnbench(vector: Vector, outcome: Outcome) -> Iterator[Compared]:
    """VNBench with four tries, by its own scorer and by Video-Zero."""
    given = vector.expected
    rows = [
        Answered(
            row["question_id"],
            row["video_path"],
            row["type"],
            truth=row["gt"] if isinstance(row["gt"], str) else letter(row["gt"]),
            row=None if row["pred"] is None else {"response": row["pred"]},
        )
        for row in vector.pred
    ]
    official = together.Together("official/vnbench", together.try_sample, skips_missing=True)
    video_zero = together.Together("video_zero/vnbench", lambda row: row.video, categories=together.CATEGORIES)
    lines = given["official_stdout"].strip().splitlines()
    printed = {lines[i]: float(lines[i + 1].rpartition(" ")[2]) for i in range(0, len(lines) - 1, 2)}
    printed["Overall"] = float(lines[-1].split()[-1])
    for name, ours, theirs in (
        ("official", official(rows).values(), printed),
        ("videozero", video_zero(rows).values(), given["videozero_metrics"]),
    ):
        for figure, value in theirs.items():
            yield Compared(f"{name} {figure}", ours.get(figure), value)


def videomme(vector: Vector, outcome: Outcome) -> Iterator[Compared]:
    """Video-MME by lmms-eval (points) and VLMEvalKit (shares, three decimals), by every group."""
    given, gt, pred = vector.expected, vector.gt, vector.pred
    rows = [_videomme_row(row, reply) for row, reply in zip(gt, pred, strict=True)]
    lmms = choices.Choices("lmms_eval/abcd", "duration")(rows)
    yield Compared("lmms_eval overall", lmms.values()["acc"], given["lmms_eval_overall"])
    for name, value in given["lmms_eval_by_duration"].items():
        yield Compared(f"lmms_eval {name}", lmms.values()[name], value)
    for number, (row, theirs) in enumerate(zip(rows, given["per_question_letter_lmms"], strict=True)):
        yield Compared(f"row {number}", LETTER_PARSERS["lmms_eval/abcd"](row.reply, ()), a_letter(theirs))
    kit = choices.Choices("vlmevalkit/videomme", "duration", scale=1.0)
    for duration, tables in given["vlmevalkit"].items():
        part = [row for row in rows if duration in (*row.groups["duration"], "overall")]
        scored = kit(part)
        yield Compared(f"vlmevalkit {duration}", mean(scored.columns["acc"]), float(tables["overall"]), 3)
        for group in ("domain", "sub_category", "task_type"):
            found = by_group(scored.columns["acc"], scored.units, group)
            for label, value in tables.get(group, {}).items():
                ours = found.get(label, float("nan"))
                yield Compared(f"vlmevalkit {duration} {label}", ours, float(value), 3)


def _videomme_row(row: dict[str, Any], reply: str) -> Answered:
    groups = {name: (row[name],) for name in ("duration", "domain", "sub_category", "task_type")}
    return Answered(row["question_id"], row["videoID"], truth=row["answer"], groups=groups, row={"response": reply})


def mlvu(vector: Vector, outcome: Outcome) -> Iterator[Compared]:
    """MLVU: lmms-eval's macro average over its tasks, the micro average, every task."""
    given = vector.expected
    rows = [
        Answered(str(number), task=row["task_type"], truth=row["answer"], row={"response": reply})
        for number, (row, reply) in enumerate(zip(vector.gt, vector.pred, strict=True))
    ]
    scored = choices.Choices("lmms_eval/abcd", macro="macro", tasks=choices.MLVU_DEV)(rows)
    for key, value in given.items():
        if key.startswith("lmms_eval_dev"):
            yield Compared(key, scored.values()["macro"], value)
        elif key.startswith("micro"):
            yield Compared(key, scored.values()["acc"], value)
    for task, value in given["by_task"].items():
        yield Compared(task, scored.values().get(task, 0.0), value)


def lvbench(vector: Vector, outcome: Outcome) -> Iterator[Compared]:
    """LVBench: the letter of every answer, accuracy by type over what was answered."""
    given, pred = vector.expected, vector.pred
    asked = [(video["key"], qa) for video in vector.gt for qa in video["qa"]]
    rows = [
        Answered(
            str(qa["uid"]),
            video,
            truth=qa["answer"],
            groups={"task": tuple(qa["question_type"])},
            row={"response": pred[str(qa["uid"])]} if str(qa["uid"]) in pred else None,
        )
        for video, qa in asked
    ]
    for uid, theirs in given["polished"].items():
        yield Compared(f"uid {uid}", LETTER_PARSERS["official/lvbench"](pred[uid], ()), a_letter(theirs))
    scored = choices.Choices("official/lvbench", skips_missing=True, scale=1.0)(rows).values()
    for name, value in given["compute_accuracy"].items():
        yield Compared(name, scored[name], value)


def longvideobench(vector: Vector, outcome: Outcome) -> Iterator[Compared]:
    """LongVideoBench by lmms-eval: overall, five decimals, and by duration."""
    given = vector.expected
    rows = [
        Answered(
            row["id"],
            truth=letter(row["correct_choice"]),
            groups={"duration": (str(row["duration_group"]),)},
            row={"response": reply},
        )
        for row, reply in zip(vector.gt, vector.pred, strict=True)
    ]
    scored = choices.Choices("lmms_eval/longvideobench", "duration", scale=1.0, decimals=5)(rows).values()
    yield Compared("lmms_eval_overall", scored["acc"], given["lmms_eval_overall"], 5)
    for name, value in given["by_duration"].items():
        yield Compared(name, scored[name], value)


def onethinker(vector: Vector, outcome: Outcome) -> Iterator[Compared]:
    """OneThinker's score of one reply, by the problem's type."""
    for case in vector.expected:
        ours = onethinker_score(case["problem_type"], case["response"], case["ground_truth"])
        what = f"{case['problem_type']} {case['response']!r}"
        theirs, parts = case["result"]
        yield Compared(what, ours, theirs)
        for part, value in parts.items():
            if part == "tiou":
                yield Compared(f"{what} {part}", ours, value)
            else:
                note(outcome, part)
