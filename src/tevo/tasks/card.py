"""The model card of a role's folder: what it is, how to load it, what it has read and what not, its figures."""

import json
import math
from collections.abc import Mapping
from typing import Any

_FRONT = """\
---
library_name: tevo
tags:
- video
- temporal-grounding
- video-question-answering
- self-supervised
---
"""
WHAT = {
    "solver": "Answers questions about a video and points at the seconds that its answer rests on.",
    "questioner": "Finds events in a video and asks questions about them, each with the seconds that answer it.",
}
_LOAD = {
    "solver": """\
model = tevo.load("path/to/this/folder"{given})
answer = model.answer("video.mp4", "What happens first?", ["a door opens", "a pan falls"])
print(answer.answer, answer.spans, answer.confidence)""",
    "questioner": """\
from tevo.tasks.folders import load_questioner

questioner, release = load_questioner("path/to/this/folder"{given})""",
}
_CARD = """\
{front}
# tevo {role}{title}

{what}
One role of a co-evolution: a Questioner and a Solver that teach each other from unlabelled videos.

## Loading

```python
import tevo

{load}
```

`model.safetensors` holds {parameters:,} numbers: the role's own weights{aligned}. The frozen backbone is not in it: it
is {backbone}, and loading checks that the one at hand is the same (fingerprint `{fingerprint}`).
`config.json` and `phrases.txt` hold the settings and the phrase bank of the run; no file needs unpickling.

"""
TRAINED_ON = """\
## What it was trained on

Raw video files alone. No label, caption, subtitle or timestamp annotation was read in training: questions, answers and
spans were the two roles' own. This holds for the training that tevo did, not for the backbone, which brings what its
pretraining read (a CLIP, for one, has read captions). Figures named after a test set were measured on annotated
questions that were not trained on; the others need no label.
"""


def plain(value: object) -> Any:  # noqa: ANN401 - JSON has many types
    """The value as JSON has it: lists for tuples, text for what it does not know, null for what is not finite."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | None) else str(value)


def render_card(role: str, facts: Mapping[str, Any], card: Mapping[str, Any], parameters: int, aligned: bool) -> str:
    """The text of README.md.

    Args:
        role: solver or questioner.
        facts: of the backbone (``describe_backbone``).
        card: what is to be told of the round: plain values; a nested mapping becomes a table.
        parameters: number of weights in the folder.
        aligned: whether some of them are the backbone's, fitted in phase 0.
    """
    name = facts["name"]
    backbone = f"`{name}`, which loading builds" if name else f"a `{facts['class_path']}`, which loading must be given"
    text = _CARD.format(
        front=_FRONT,
        role=role,
        title=f", round {card['round']}" if "round" in card else "",
        what=WHAT[role],
        load=_LOAD[role].format(given="" if name else ", backbone=the_backbone"),
        parameters=parameters,
        aligned=" and what phase 0 fitted in the backbone" if aligned else "",
        backbone=backbone,
        fingerprint=facts["fingerprint"],
    )
    return text + TRAINED_ON + render_tables(card)


def render_tables(card: Mapping[str, Any]) -> str:
    """What is to be told of a round: one table of its plain values, and one for each mapping in it."""
    rows = {key: value for key, value in card.items() if not isinstance(value, Mapping)}
    tables = {"Figures": rows} | {key: value for key, value in card.items() if isinstance(value, Mapping)}
    return "".join(_table(title, table) for title, table in tables.items() if table)


def _table(title: str, rows: Mapping[str, Any]) -> str:
    lines = "".join(f"| {_cell(name)} | {_cell(value)} |\n" for name, value in rows.items())
    return f"\n## {title[:1].upper()}{title[1:]}\n\n| | |\n|---|---|\n{lines}"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else "-"
    text = value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False)
    return " ".join(text.split()).replace("|", "\\|")
