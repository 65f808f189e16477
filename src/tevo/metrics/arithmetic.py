"""The value of a constant written as plain text or LaTeX; nothing is ever executed."""

import math
import re

_REPLACED = (
    (r"\\(?:left|right|displaystyle|mathrm|text|,|;|!|:| )", ""),
    (r"\\[dt]?frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}"),
    (r"\\[dt]frac", r"\\frac"),
    (r"\\(?:times|cdot)", "*"),
    (r"\\div", "/"),
    (r"\\pi|π", " pi "),
    (r"\\%", "%"),
    (r"\^?\\circ|°", ""),
    (r"\*\*", "^"),
    ("−", "-"),
)
_TOKEN = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+|\\frac|\\sqrt|pi|[-+*/^%(){}\[\]])")
MAX_LENGTH = 200  # characters; a constant answer is short
MAX_VALUE = 1e100  # larger powers are no answers


def constant(text: str) -> float | None:
    r"""The value of ``1/2``, ``$\frac{1}{2}$``, ``3 \sqrt{2}``, ``50\%``, ``2^{10}``, ``1,000``, ``x = 3``.

    Returns:
        None when the text holds anything else (letters, two numbers side by side) or has no finite value.
    """
    boxed = re.search(r"\\boxed\{(.*)\}", text)
    body = (boxed.group(1) if boxed else text).strip().strip("$").strip()
    body = re.sub(r"^[A-Za-z]\s*=", "", body)
    if not body or len(body) > MAX_LENGTH:
        return None
    for pattern, instead in _REPLACED:
        body = re.sub(pattern, instead, body)
    body = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", body).rstrip(". ")
    tokens, place = [], 0
    while place < len(body):
        found = _TOKEN.match(body, place)
        if found is None:
            return None
        tokens.append(found.group(1))
        place = found.end()
    try:
        value = _Reader(tokens).whole()
    except (_NoValue, ArithmeticError, ValueError):
        return None
    return value if math.isfinite(value) else None


class _NoValue(Exception):
    """The tokens are no constant."""


class _Reader:
    """Recursive descent over the tokens: sums of products of powers of atoms."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.place = 0

    def whole(self) -> float:
        value = self._sum()
        if self.place < len(self.tokens):
            raise _NoValue
        return value

    def _peek(self) -> str:
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def _take(self, *wanted: str) -> bool:
        there = self._peek() in wanted
        self.place += there
        return there

    def _sum(self) -> float:
        sign = -1.0 if self._peek() == "-" else 1.0
        self._take("-", "+")
        value = sign * self._product()
        while self._peek() in ("+", "-"):
            sign = 1.0 if self._peek() == "+" else -1.0
            self.place += 1
            value += sign * self._product()
        return value

    def _product(self) -> float:
        value = self._power()
        while True:
            if self._take("*"):
                value *= self._power()
            elif self._take("/"):
                value /= self._power()
            elif self._peek() in ("\\frac", "\\sqrt", "pi", "("):  # side by side: 3 sqrt 2; two digits are not
                value *= self._power()
            else:
                return value

    def _power(self) -> float:
        value = self._atom()
        if self._take("%"):
            value /= 100
        if self._take("^"):
            exponent = -self._atom() if self._take("-") else self._atom()
            result = value**exponent
            if isinstance(result, complex) or abs(result) > MAX_VALUE:
                raise _NoValue
            value = result
        return value

    def _atom(self) -> float:
        if self._take("\\frac"):
            above = self._group("{", "}")
            return above / self._group("{", "}")
        if self._take("\\sqrt"):
            order = self._group("[", "]") if self._peek() == "[" else 2.0
            inside = self._group("{", "}") if self._peek() == "{" else self._atom()
            if inside < 0:
                raise _NoValue
            return float(inside ** (1 / order))
        for opening, closing in (("(", ")"), ("{", "}")):
            if self._peek() == opening:
                return self._group(opening, closing)
        if self._take("pi"):
            return math.pi
        if not re.fullmatch(r"[\d.]+", self._peek()):
            raise _NoValue
        self.place += 1
        return float(self.tokens[self.place - 1])

    def _group(self, opening: str, closing: str) -> float:
        if not self._take(opening):
            raise _NoValue
        value = self._sum()
        if not self._take(closing):
            raise _NoValue
        return value
