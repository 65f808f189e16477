"""The Questioner's prompt and reply as text (ALGORITHM 3, after Video-Zero, arXiv 2605.14733).

``<think>...</think><evidence>[(s1, e1)]</evidence><type>...</type><question>...</question><options>A) ... B) ...
</options><answer>...</answer>``. Two views: the whole video, or a window of it (EvoVid, arXiv 2605.21931).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from tevo.prompts.grammar import LEVELS, named_seconds, parse
from tevo.prompts.solver import LETTERS, list_options, read_choice
from tevo.prompts.tags import SLACK_S, Tagged, read_spans, take_apart, write_spans
from tevo.prompts.templates import Templates
from tevo.structures import Question, Span

TYPES = ("multiple choice", "open", "yes/no", "when", "count")
STOP = ("</answer>",)
"""A reply ends where this is written."""

_OPTION = re.compile(r"(?:^|\s)([A-Z])\)\s+")
_YES_NO = ("yes", "no")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as the Questioner writes it; ``evidence`` in seconds (pts)."""

    type: str
    text: str
    answer: str = ""
    options: tuple[str, ...] = ()
    evidence: tuple[Span, ...] = ()
    thought: str = ""

    @property
    def kind(self) -> str:
        """The grammar's kind where the text is one of its templates, else what the type says."""
        if self.type == "when":
            return "when"
        found = parse(self.text).kind
        return self.type if found in ("open", "when") else found

    def question(self, id: str, video: str, window: Span | None = None) -> Question:
        """As tevo's rooms know questions."""
        level = LEVELS.get(self.kind, 1)
        return Question(id, video, self.text, self.kind, self.options, self.answer, self.evidence, window, level)


@dataclass(frozen=True, slots=True)
class AskedReading:
    """A completion of the Questioner: the question, or None and what is wrong with it."""

    asked: Asked | None
    faults: tuple[str, ...]


def asker_prompt(duration_s: float, templates: Templates, kinds: str = "", windowed: bool = False) -> str:
    """What the Questioner is asked, beside the video or the window of it.

    Args:
        duration_s: of what is shown.
        templates: the texts around it.
        kinds: what the curriculum allows, in words.
        windowed: whether a part of the video is shown.
    """
    return templates.fill(f"asker_{'window' if windowed else 'full'}", duration=f"{duration_s:.1f}", kinds=kinds)


def write_asked(asked: Asked, origin_s: float = 0.0) -> str:
    """The question as the Questioner should write it; read back by :func:`read_asked`."""
    thought = f"<think>{asked.thought}</think>" if asked.thought else ""
    options = list_options(asked.options) if asked.type in ("multiple choice", "count") else ""
    answer = LETTERS[asked.options.index(asked.answer)] if options and asked.answer in asked.options else asked.answer
    parts = {
        "evidence": write_spans(asked.evidence, origin_s),
        "type": asked.type,
        "question": asked.text,
        "options": options.replace("\n", " "),
        "answer": answer,
    }
    return thought + "".join(f"<{name}>{text}</{name}>" for name, text in parts.items() if text or name == "answer")


def read_asked(text: str, limits: Span, origin_s: float = 0.0, free_text: bool = True) -> AskedReading:
    """Take a completion apart; one fault and there is no question (its reward's format gate).

    Args:
        text: the completion.
        limits: the part of the video that was shown, seconds (pts).
        origin_s: pts that the model calls second 0.
        free_text: whether a question may be put in words of its own; else what no template of the grammar made is a
            fault.
    """
    tagged = take_apart(text, ("evidence", "type", "question", "answer"), ("think",))
    with_options = take_apart(text, ("evidence", "type", "question", "options", "answer"), ("think",))
    if "<options>" in text:
        tagged = with_options
    faults = list(tagged.faults)
    evidence, wrong = read_spans(tagged.get("evidence"), limits, origin_s)
    if not faults:
        faults += wrong
    kind, asked = tagged.get("type").strip(), tagged.get("question").strip()
    if not faults and kind not in TYPES:
        faults.append("unknown type")
    if not faults and not asked:
        faults.append("the question is empty")
    if not faults:
        faults += _misput(kind, asked, Span(limits.start_s - origin_s, limits.end_s - origin_s), free_text)
    if faults:
        return AskedReading(None, tuple(dict.fromkeys(faults)))
    return _with_answer(tagged, kind, asked, evidence)


def _misput(kind: str, text: str, shown: Span, free_text: bool) -> list[str]:
    """What is wrong with the words of a question; ``shown`` in the model's own seconds."""
    start_s, end_s = named_seconds(text) or (shown.start_s, shown.start_s)
    if end_s < start_s:
        return ["the question's seconds are reversed"]
    if start_s < shown.start_s - SLACK_S or end_s > shown.end_s + SLACK_S:
        return ["the question's seconds are outside the video"]
    form = parse(text).kind
    if not free_text and form == "open":
        return ["the question has none of the grammar's forms"]
    if not free_text and (form == "when") != (kind == "when"):
        return ["the type is not that of the question"]
    return []


def _with_answer(tagged: Tagged, kind: str, text: str, evidence: tuple[Span, ...]) -> AskedReading:
    """Options and answer by type."""
    answer, thought = tagged.get("answer").strip(), tagged.get("think")
    options = _YES_NO if kind == "yes/no" else split_options(tagged.get("options"))
    checks: dict[str, Callable[[], bool]] = {
        "a when question with an answer": lambda: kind == "when" and bool(answer),
        "fewer than two options": lambda: kind == "multiple choice" and len(options) < 2,
        "an option is given twice": lambda: len(set(options)) < len(options),
        "options where none belong": lambda: kind in ("open", "when") and bool(options),
        "the answer is empty": lambda: kind != "when" and not answer,
        "the answer is none of the options": lambda: bool(options) and read_choice(answer, options) < 0,
    }
    faults = tuple(fault for fault, applies in checks.items() if applies())
    if faults:
        return AskedReading(None, faults)
    said = options[read_choice(answer, options)] if options else answer
    return AskedReading(Asked(kind, text, said, tuple(options), evidence, thought), ())


def split_options(text: str) -> tuple[str, ...]:
    """``A) one B) two`` as its texts; () where the letters do not count up from A."""
    pieces = _OPTION.split(text.strip())
    letters, texts = pieces[1::2], tuple(piece.strip() for piece in pieces[2::2])
    if pieces[0].strip() or "".join(letters) != LETTERS[: len(letters)] or not all(texts):
        return ()
    return texts
