"""A role of a language model as folders of its own library: nothing of tevo is needed to load them.

``adapter/`` (peft's layout, where the role is an adapter) and ``merged/`` (transformers' layout: the whole model), each
with processor, generation config (merged) and a model card.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tevo.backbones.language import LanguageModel
from tevo.tasks.atomic import in_place_of
from tevo.tasks.card import TRAINED_ON, WHAT, render_tables

_FRONT = """\
---
library_name: {library}
pipeline_tag: video-text-to-text
{base}tags:
- tevo
- video
- temporal-grounding
- video-question-answering
- self-supervised
---

# {role}{title}

{what}
One role of a co-evolution: a Questioner and a Solver that teach each other from unlabelled videos. {kind}

## Loading

```python
{load}
```

{writes} Times are seconds from where the video begins; prompts are made by `tevo.prompts`.

"""
_MERGED = """\
from transformers import AutoModelForImageTextToText, AutoProcessor

model = AutoModelForImageTextToText.from_pretrained("path/to/this/folder")
processor = AutoProcessor.from_pretrained("path/to/this/folder")"""
_ADAPTER = """\
from peft import PeftModel
from transformers import AutoModelForImageTextToText, AutoProcessor

base = AutoModelForImageTextToText.from_pretrained("{base}")
model = PeftModel.from_pretrained(base, "path/to/this/folder")
processor = AutoProcessor.from_pretrained("path/to/this/folder")"""
_KIND = {
    "merged": "This is the whole model.",
    "adapter": "This is a LoRA adapter: its base is not in the folder.",
}
_WRITES = {
    "solver": "It writes `<think>...</think><answer>B</answer><glue>[(12.0, 14.5)]</glue>`, thinking being optional.",
    "questioner": "It writes evidence, type, question, options and answer, each in a tag of that name.",
}


def export_role(
    folder: Path, model: LanguageModel, role: str, card: Mapping[str, Any], merged: bool = True
) -> list[Path]:
    """Write a role for its own library, each folder whole or not at all, in the place of an earlier one.

    Args:
        folder: where ``adapter`` and ``merged`` come to lie.
        model: which has the role.
        role: solver or questioner.
        card: what the model cards tell of the round: plain values; a nested mapping becomes a table.
        merged: the whole model too, where the role is an adapter; where it is not, the whole model is all there is.

    Returns:
        The folders written.

    Raises:
        TevoError: when the model has no such role.
    """
    kinds = [*(["adapter"] if model.has_adapters else []), *(["merged"] if merged or not model.has_adapters else [])]
    for kind in kinds:
        with in_place_of(folder / kind) as unfinished:
            model.save_role(role, str(unfinished), merged=kind == "merged")
            (unfinished / "README.md").write_text(render_hub_card(role, kind, model.base_source, card), "utf-8")
    return [folder / kind for kind in kinds]


def render_hub_card(role: str, kind: str, base: str | None, card: Mapping[str, Any]) -> str:
    """The text of README.md.

    Args:
        role: solver or questioner.
        kind: adapter or merged.
        base: hub id or folder of the base; None where it has none.
        card: as for :func:`export_role`.
    """
    relation = "adapter" if kind == "adapter" else "finetune"
    front = _FRONT.format(
        library="peft" if kind == "adapter" else "transformers",
        base=f"base_model: {base}\nbase_model_relation: {relation}\n" if base else "",
        role=f"tevo {role}",
        title=f", round {card['round']}" if "round" in card else "",
        what=WHAT[role],
        kind=_KIND[kind],
        load=_ADAPTER.format(base=base or "path/to/the/base") if kind == "adapter" else _MERGED,
        writes=_WRITES[role],
    )
    return front + TRAINED_ON + render_tables(card)
