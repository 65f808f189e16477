"""Which option a reply names, under every protocol: one table of parsers, and tevo's own.

A parser takes the reply and the option texts and gives the letters that are credited: usually one, "" when the
reply was not parsed, several where a scorer would count each of them as right.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from string import ascii_uppercase
from types import MappingProxyType

from tevo.prompts.replies import harness_letters as harness
from tevo.prompts.replies.tags import after_last, first_tagged, last_tagged, strip_reasoning

LetterParser = Callable[[str, Sequence[str]], str]


def plain_letter(reply: str, options: Sequence[str]) -> str:
    r"""The reading of tevo: a letter, or an option's text, said as the answer. Anything else is unparsed.

    Reasoning goes. Inside ``<answer>`` or ``\boxed{}``, where there is one, or in the whole reply, it takes a
    lone letter however it is bracketed, one option's text alone, a letter before a text ("B. a blue bus"), or
    "the answer is B". A letter that no option has, two different ones, or the article "a" are no answer.
    """
    text = strip_reasoning(reply)
    tagged = last_tagged(text, "answer")
    text = text if tagged is None else tagged
    boxed = re.findall(r"\\boxed\{\s*(?:\\text\{)?([^{}]*)\}", text)
    text = (boxed[-1] if boxed else text).strip()
    letters = ascii_uppercase[: len(options)]
    lone = re.fullmatch(r"[\W_]*([A-Za-z])[\W_]*", text)
    said = {letter for letter, option in zip(letters, options, strict=False) if _plain(option) == _plain(text)}
    if lone:
        said = {lone.group(1).upper()}
    elif not said:
        said = {letter.upper() for pattern in (_MARKED, _STATED) for letter in pattern.findall(text)}
    return said.pop() if len(said) == 1 and said <= set(letters) else ""


_MARKED = re.compile(r"^[\W_]*([A-Z])[.):]\s")  # "B. a blue bus", "(C) a green bike"
_STATED = re.compile(  # "the answer is B", "Option: (B)"; a letter before a common word may be the article
    r"(?i:\b(?:answer|option|choice)(?:\s+is)?\s*:?)[\s\W_]*([A-Za-z])\b(?!['’])"
    r"(?!\s+(?!(?:because|since|as)\b)[a-z])"
)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .")


def _any(reply: str, letters: str, credit: Callable[[str, str], bool]) -> str:
    return "".join(letter for letter in letters if credit(reply, letter))


def _mlvu(reply: str, options: Sequence[str]) -> str:
    """MLVU: the character before the first ")", or the whole reply, must be the letter itself."""
    before, bracket, _ = reply.partition(")")
    said = before[-1:] if bracket else reply
    return said if len(said) == 1 and said in ascii_uppercase else ""


def _lvbench(reply: str, options: Sequence[str]) -> str:
    """LVBench: before the first ")", after the first "(", the first character of the first word."""
    said = reply.strip().partition(")")[0].strip()
    said = said.split("(")[1].strip() if "(" in said else said
    said = said.split(" ")[0][:1]
    return said if said in ascii_uppercase else ""


def _vnbench(reply: str, options: Sequence[str]) -> str:
    """VNBench: the first of A, B, C, D in this order that occurs before the first full stop."""
    said = reply.partition(".")[0]
    found = next((letter for letter in "ABCD" if letter in said), said)
    return found if len(found) == 1 and found in ascii_uppercase else ""


def _video_holmes(reply: str, options: Sequence[str]) -> str:
    """Video-Holmes: in the last ``<answer>``, the first of A to F written "A ", "A:" or "[A", else just there."""
    said = re.findall(r"<answer>\s*(.*?)\s*</answer>", reply, re.DOTALL)
    text = said[-1].strip() if said else reply
    written = [letter for letter in "ABCDEF" if f"{letter} " in text or f"{letter}:" in text or f"[{letter}" in text]
    return next(iter([*written, *(letter for letter in "ABCDEF" if letter in text)]), "")


def _time_r1(reply: str, options: Sequence[str]) -> str:
    """Time-R1: the last "(A)", else the very first character."""
    found = re.findall(r"\(([A-Z])\)", reply)
    said = found[-1] if found else reply[:1]
    return said if said in ascii_uppercase else ""


def _first_character(reply: str, options: Sequence[str]) -> str:
    """OneThinker: the first character of ``<answer>`` (or of the reply), upper-cased: "ERROR" is E."""
    said = first_tagged(reply, "answer")
    text = (said or "").strip() or reply.strip()
    return text[:1].upper() if text[:1].upper() in ascii_uppercase else ""


def _judge(letters: str, fold: bool) -> LetterParser:
    """Video-Zero's judge; for NExT-GQA it upper-cases the whole reply, so that the article "a" counts as A."""

    def credit(reply: str, truth: str) -> bool:
        text = after_last(reply, "answer") or reply
        boxed = re.search(r"\\boxed\{([^}]*)\}", text)
        text = text.upper() if fold else text
        said = [text.strip(), (boxed.group(1).upper() if fold else boxed.group(1)).strip() if boxed else ""]
        for pattern in (rf"([{letters}])\.", rf"\b([{letters}])\b"):
            said += re.findall(pattern, text)[-1:]
        return truth in said

    return lambda reply, options: _any(reply, letters, credit)


def _zoom_zero_gqa(letters: str) -> LetterParser:
    """Zoom-Zero, grounded QA: the first capital of ``<answer>``, which must be there."""
    parse = harness.first_capital(letters, harness.ZOOM_ZERO_PREFIXES)

    def parse_answer(reply: str, options: Sequence[str]) -> str:
        said = first_tagged(reply, "answer")
        return "" if said is None else parse(said)

    return parse_answer


def _substring(reply: str, options: Sequence[str]) -> str:
    """Zoom-Zero, long video QA: truth in reply or reply in truth: an empty reply is right, whatever is asked."""
    text = reply.replace("<answer>", "").replace("</answer>", "")
    return _any(text, ascii_uppercase[: len(options)], lambda said, truth: truth in said or said in truth)


def _cgbench(reply: str, options: Sequence[str]) -> str:
    """CG-Bench and VLMEvalKit for it: ``result`` of a JSON block; without one, every lone letter A-H is credited."""
    block = json_block(reply)
    if block:
        try:
            said = json.loads(re.sub(r"(?<=:\s)([A-Za-z_]\w*)", r'"\1"', block))["result"]
            # A JSON answer that is no letter is a wrong answer, not an unparsed one: "?" is nobody's letter.
            return said if isinstance(said, str) and len(said) == 1 and said in ascii_uppercase else "?"
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
    return "".join(sorted(set(re.findall(r"\b[A-H]\b", reply))))


def json_block(reply: str) -> str:
    """What stands in the first fenced ``json`` block of a reply, stripped; "" where there is none."""
    found = re.search(r"```json(.*?)```", reply, re.DOTALL)
    return found.group(1).strip() if found else ""


def _reply_only(parse: Callable[[str], str]) -> LetterParser:
    return lambda reply, options: parse(reply)


def _stripped(parse: Callable[[str], str]) -> LetterParser:
    return lambda reply, options: parse(strip_reasoning(reply))


def _priority(letters: str) -> LetterParser:
    return _stripped(lambda reply: harness.by_priority(reply, letters))


def _bracket_or_text(letters: str) -> LetterParser:
    return lambda reply, options: harness.by_bracket_or_text(strip_reasoning(reply), options, letters)


def _capital(letters: str, prefixes: Sequence[str]) -> Callable[[str], str]:
    return harness.first_capital(letters, prefixes)


def _or_inferred(parse: Callable[[str], str]) -> LetterParser:
    """VLMEvalKit under exact matching: what the extractor does not find, the general rule may."""
    return lambda reply, options: parse(reply) or harness.can_infer(reply, options)


LETTER_PARSERS: Mapping[str, LetterParser] = MappingProxyType(
    {
        "tevo": plain_letter,
        "official/mlvu": _mlvu,
        "official/lvbench": _lvbench,
        "official/vnbench": _vnbench,
        "official/lsdbench": _reply_only(harness.last_standing),
        "official/video_holmes": _video_holmes,
        "official/videomme": _reply_only(_capital("ABCD", harness.LONGVIDEOBENCH_PREFIXES)),
        "official/cgbench": _cgbench,
        "official/time_r1": _time_r1,
        "video_zero/nextgqa": _judge("ABCDE", fold=True),
        "video_zero/vnbench": _judge("ABCD", fold=False),
        "onethinker": _first_character,
        "zoom_zero/nextgqa": _zoom_zero_gqa("ABCDEFG"),
        "zoom_zero/cgbench": _zoom_zero_gqa("ABCDEFGH"),
        "zoom_zero/long": _substring,
        "lmms_eval/abcd": _priority("ABCD"),
        "lmms_eval/abcdef": _priority("ABCDEF"),
        "lmms_eval/cgbench": _priority("ABCDEFGHIJKLMN"),
        "lmms_eval/longvideobench": _stripped(_capital("ABCDE", harness.LONGVIDEOBENCH_PREFIXES)),
        "lmms_eval/nextqa": _bracket_or_text("ABCDE"),
        "lmms_eval/video_holmes": _bracket_or_text("ABCDEF"),
        "lmms_eval/tvbench": lambda reply, options: harness.tvbench(strip_reasoning(reply), options),
        "lmms_eval/mvbench": _stripped(harness.mvbench),
        "lmms_eval/lsdbench": _stripped(harness.last_standing),
        "lmms_eval/videomathqa": _stripped(_capital("ABCDE", harness.VIDEOMATHQA_PREFIXES)),
        "vlmevalkit/videomme": _or_inferred(_capital("ABCD", harness.VLMEVALKIT_PREFIXES)),
        "vlmevalkit/longvideobench": _or_inferred(_capital("ABCDE", harness.VLMEVALKIT_PREFIXES)),
        "vlmevalkit": harness.can_infer,
        "vlmevalkit/cgbench": _cgbench,
    }
)
"""Parser by name, ``protocol/benchmark``; several benchmarks may share one (``tevo.metrics.protocols`` says which)."""
