"""What is taken out of a reply before its answer is looked for: reasoning, and the text between two tags."""

import re
from collections.abc import Sequence

REASONING_TAGS = (("<think>", "</think>"), ("<analysis>", "</analysis>"))
"""What lmms-eval strips unless told otherwise."""


def strip_reasoning(text: str, tags: Sequence[tuple[str, str]] = REASONING_TAGS) -> str:
    """The reply without its reasoning blocks; case counts, and a block that is never closed stays.

    Some chat templates write the opening tag into the prompt, so the reply may hold the closing one alone:
    then what comes after the last of them is the reply.
    """
    for start_tag, end_tag in tags:
        while start_tag in text:
            start = text.find(start_tag)
            end = text.find(end_tag, start)
            if end < 0:
                break
            text = text[:start] + text[end + len(end_tag) :]
        if start_tag not in text and end_tag in text:
            text = text.rsplit(end_tag, 1)[-1]
    return text.strip()


def first_tagged(text: str, tag: str) -> str | None:
    """What stands in the first complete ``<tag>...</tag>``, as written; None where there is none."""
    found = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    return found.group(1) if found else None


def last_tagged(text: str, tag: str) -> str | None:
    """What stands in the last complete ``<tag>...</tag>``, as written; None where there is none."""
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    return found[-1] if found else None


def after_last(text: str, tag: str) -> str:
    """What follows the last ``<tag>``, up to a closing tag if one comes; "" where there is no such tag."""
    if f"<{tag}>" not in text:
        return ""
    return text.split(f"<{tag}>")[-1].split(f"</{tag}>")[0].strip()
