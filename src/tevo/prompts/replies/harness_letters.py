"""Which option a reply names, as lmms-eval and VLMEvalKit read it: their quirks on purpose.

Written from what their extractors do, checked against what they answered (``tests/run_vectors.py``). A reply on
which one of them draws a random letter is "", unparsed, here. lmms-eval strips reasoning before any of these
(:func:`tevo.prompts.replies.tags.strip_reasoning`); VLMEvalKit does not.
"""

import re
from collections.abc import Callable, Sequence
from string import ascii_uppercase

_THINGS = ("answer", "correct answer", "best answer", "correct option", "best option", "choice", "correct choice")
PHRASES = (
    *(f"{article}{thing} is" for thing in _THINGS for article in ("the ", "")),
    *("i choose", "i select", "i pick", "my answer is", "my choice is"),
    *("옵션", "정답은", "답은", "답:", "答案是", "答案为", "选", "答えは"),
)
_MARKED = (("({})", 6), ("{}.", 5), ("{}:", 4), ("{})", 3), ("{} ", 2))  # how an option is written, its priority
_BEGIN, _END, _PHRASE = 10, 9, 7  # priorities of the remaining ways
_BEFORE = ("The best answer is", "The correct answer is", "The answer is", "The answer")


def by_priority(reply: str, letters: str) -> str:
    """lmms-eval's shared extractor: the surest way of writing wins, then the later place.

    Start of the reply > end > after a phrase > (A) > A. > A: > A) > "A "; any letter anywhere if none of these.
    """
    text = reply.strip()
    for mark in ",.!?;:'\"":
        text = text.strip(mark)
    padded, bare = f" {text} ", text.strip()
    found = [
        (priority, padded.rfind(written.format(letter)), letter)
        for written, priority in _MARKED
        for letter in letters
        if written.format(letter) in padded
    ]
    lowered = padded.lower()
    for phrase in PHRASES:
        start = lowered.find(phrase)
        places = [(padded.find(letter, start + len(phrase)), letter) for letter in letters] if start >= 0 else []
        found += [(_PHRASE, place, letter) for place, letter in places if place >= 0]
    if bare[:1] in letters and bare and not bare[1:2].isalpha():
        found.append((_BEGIN, 0, bare[0]))
    if bare[-1:] in letters and bare and not bare[-2:-1].isalpha():
        found.append((_END, len(padded) - 1, bare[-1]))
    if not found:
        found = [(0, padded.rfind(letter), letter) for letter in letters if letter in padded]
    # At one place the earlier way of the list stays ahead, as in a stable descending sort.
    return max(found, key=lambda item: item[:2])[2] if found else ""


def first_capital(letters: str, prefixes: Sequence[str]) -> Callable[[str], str]:
    """Remove prefixes such as "The answer is", then take the first capital letter, inside a word too."""

    def parse(reply: str) -> str:
        text = reply.strip()
        for prefix in prefixes:
            text = text.replace(prefix, "")
        found = re.search(f"[{letters}]", text)
        return found.group() if found else ""

    return parse


def last_standing(reply: str, letters: str = "ABCD") -> str:
    """The last capital letter that touches no other letter (LSDBench, and lmms-eval for it)."""
    found = re.findall(f"(?<![a-zA-Z])[{letters}](?![a-zA-Z])", reply)
    return found[-1] if found else ""


def by_bracket_or_text(reply: str, options: Sequence[str], letters: str) -> str:
    """The MMMU rule of lmms-eval's NExT-QA and Video-Holmes: (A), then "A ", then "A.", then an option's text.

    Several candidates: the last place wins. The text is looked for in replies of more than five words only.
    Nothing found is a random letter there, "" here.
    """
    text = reply
    for mark in ",.!?;:'":
        text = text.strip(mark)
    text = f" {text} "
    for written, place in (("({})", "({})"), ("{} ", " {} "), ("{}.", " {} ")):
        found = [letter for letter in letters if written.format(letter) in text]
        if found:
            return max(found, key=lambda letter: text.rfind(place.format(letter)))
    lowered, named = text.lower(), dict(zip(letters, options, strict=False))
    if len(text.split()) > 5:
        found = [letter for letter, option in named.items() if option.lower() in lowered]
        if found:
            return max(found, key=lambda letter: lowered.rfind(named[letter].lower()))
    return ""


def tvbench(reply: str, options: Sequence[str]) -> str:
    """lmms-eval's TVBench: the first lone letter of the upper-cased reply, else its first letter, else an option."""
    text = reply.strip()
    letters = ascii_uppercase[: max(len(options), 2)]
    for pattern in (r"\b([A-Z])\b", r"^\s*[\(\[]?([A-Z])[\)\].:]?"):
        found = re.search(pattern, text.upper())
        if found and found.group(1) in letters:
            return found.group(1)
    spoken = " ".join(text.lower().split())
    named = [index for index, option in enumerate(options) if (n := " ".join(option.lower().split())) and n in spoken]
    return letters[named[0]] if len(named) == 1 else ""


def mvbench(reply: str) -> str:
    """lmms-eval's MVBench: "B. ..." is B; else punctuation goes and the first lone letter A-E counts, in any case."""
    listed = re.match(r"^([A-E])\.\s*(.+)$", reply.strip(), re.IGNORECASE)
    if listed:
        return listed.group(1).upper()
    text = _without_punctuation(reply.replace("\n", " ").replace("\t", " ").strip())
    found = re.search(r"\b([A-E])\b", text, re.IGNORECASE)
    return found.group(1).upper() if found else ""


def _without_punctuation(text: str) -> str:
    """A mark beside a space is deleted (all of its kind), any other becomes a space; so does the VQA scorer."""
    numbered = re.search(r"\d,\d", text) is not None
    out = text
    for mark in ';/[]"{}()=+\\_->' + "<@`,?!":
        beside_space = f"{mark} " in text or f" {mark}" in text
        out = out.replace(mark, "" if beside_space or numbered else " ")
    # The scorer passes re.UNICODE where a count is wanted: no more than 32 full stops are removed.
    return re.sub(r"\.(?!\d)", "", out, count=int(re.UNICODE))


def can_infer(reply: str, options: Sequence[str]) -> str:
    """VLMEvalKit's rule: the only option letter among the last five words, "answer is X", or the only option text.

    Known refusals are "Z", a letter that no option has.
    """
    letters = ascii_uppercase[: len(options)]
    if "Failed to obtain answer via API" in reply:
        return _only_text(reply, options)
    refusals = (
        "Sorry, I can't help with images of people yet.",
        "I can't process this file.",
        "I'm sorry, but without the image provided",
        "Cannot determine the answer",
    )
    if any(refusal in reply for refusal in refusals):
        return "Z"
    words = re.sub(r"[.()\[\],:;!*#{}]", " ", reply).split()
    named = [letter for letter in letters if letter in words]
    if len(named) == 1 and words.index(named[0]) > len(words) - 5:
        return named[0]
    if not named and "Z" in words:
        return "Z"
    phrase = re.search(r"(?i)(?:correct\s+)?answer\s+is\s+\**([ABCD])\**", reply)
    if phrase and phrase.group(1).upper() in letters:
        return phrase.group(1).upper()
    return _only_text(reply, options)


def _only_text(reply: str, options: Sequence[str]) -> str:
    if len(reply) > 2 * sum(len(option) for option in options):
        return ""
    named = [index for index, option in enumerate(options) if option.lower() in reply.lower()]
    return ascii_uppercase[named[0]] if len(named) == 1 else ""


LONGVIDEOBENCH_PREFIXES = (
    *_BEFORE,
    *("The best option is", "The correct option is", "Best answer:", "Best option:"),
)
# The lists below lack commas in their sources: two prefixes are one text, which no reply holds.
ZOOM_ZERO_PREFIXES = (*_BEFORE, "The best option is", "The correct option is", "Best answer:Best option:")
VIDEOMATHQA_PREFIXES = (*_BEFORE, "The best option isThe correct option is", "Best answer:Best option:")
VLMEVALKIT_PREFIXES = (*VIDEOMATHQA_PREFIXES, "Answer:", "Option:")
VIDEOMME_V2_PREFIXES = ("Final Answer:", *LONGVIDEOBENCH_PREFIXES, "Answer:", "Option:")
