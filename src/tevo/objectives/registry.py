"""Rewards of one's own, by name: one function, one line of YAML.

A function takes the facts of a role, :class:`SolverFacts` or :class:`QuestionerFacts`, and returns one number for
every rollout or question::

    def short_evidence(facts: SolverFacts) -> Tensor: ...

and is named with its weight in the config: ``model.solver.rewards.extra: {my_rewards:short_evidence: 0.2}``. A package
offers its own, under a name without a colon, through the entry-point group ``tevo.rewards``.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from jaxtyping import Bool, Float, Int
from torch import Tensor

from tevo.errors import TevoError
from tevo.structures import Question

GROUP = "tevo.rewards"
OWN_TERMS = ("answer", "iou", "zoom", "format", "learnability", "dependency", "order", "evidence", "in_band",
             "repetition")  # fmt: skip


@dataclass(frozen=True, slots=True)
class SolverFacts:
    """What can be known of G rollouts for each of N pooled questions. Seconds are those of the video (pts)."""

    answers: Int[Tensor, "prompt group"]  # option index; -1 = none given
    spans: Float[Tensor, "prompt group span 2"]  # seconds; padding is zero
    span_mask: Bool[Tensor, "prompt group span"]
    pseudo_answer: Int[Tensor, "prompt"]  # option index; -1 for *when* questions
    pseudo_spans: Float[Tensor, "prompt pseudo 2"]
    pseudo_mask: Bool[Tensor, "prompt pseudo"]
    is_when: Bool[Tensor, "prompt"]  # questions whose answer is the span itself
    start_s: Float[Tensor, "prompt"]  # first frame of the question's video
    end_s: Float[Tensor, "prompt"]  # where its last frame ends


@dataclass(frozen=True, slots=True)
class QuestionerFacts:
    """What can be known of questions the Questioner asked, and what the frozen Solver made of each.

    A score is how probable the majority answer is, 0..1: with the whole video, without any, with its frames shuffled,
    with the evidence masked, with the evidence alone, with a random span as long alone.
    """

    questions: Sequence[Question]
    spans: Float[Tensor, "question span 2"]  # the evidence, seconds; padding is zero
    span_mask: Bool[Tensor, "question span"]
    start_s: Float[Tensor, "question"]  # first frame of the question's video
    end_s: Float[Tensor, "question"]  # where its last frame ends
    agreement: Float[Tensor, "question"]  # share of the votes equal to the majority, 0..1
    with_video: Float[Tensor, "question"]
    without_video: Float[Tensor, "question"]
    shuffled: Float[Tensor, "question"]
    masked: Float[Tensor, "question"]
    key: Float[Tensor, "question"]
    random: Float[Tensor, "question"]


Reward = Callable[[Any], Tensor]


def load_rewards(names: Iterable[str], facts: type[SolverFacts] | type[QuestionerFacts]) -> dict[str, Reward]:
    """The functions of these names, for the role that has these facts.

    Args:
        names: of installed rewards (:func:`list_rewards`), or ``module:function``.
        facts: what the role will show them.

    Raises:
        TevoError: for a name that leads nowhere, or to something that cannot be called with these facts.
    """
    return {name: _checked(name, _find(name), facts) for name in names}


def list_rewards() -> dict[str, str]:
    """Every installed reward's name and where it comes from.

    Raises:
        TevoError: when two packages offer the same name.
    """
    return {name: f"{point.value} ({_package(point)})" for name, point in sorted(_installed().items())}


def extra_terms(
    names: Iterable[str], rewards: Mapping[str, Reward], facts: SolverFacts | QuestionerFacts, shape: tuple[int, ...]
) -> dict[str, Tensor]:
    """What each reward says of the facts.

    Args:
        names: of the rewards that the config asks for.
        rewards: of :func:`load_rewards`.
        facts: of the batch.
        shape: [prompt group] or [question], of what each must return.

    Raises:
        TevoError: when one is missing, or returns something else, or a number that is not finite.
    """
    terms = {}
    for name in names:
        if name not in rewards:
            raise TevoError(f"the config names the reward {name}, but its function was not given; see load_rewards")
        values = rewards[name](facts)
        if not isinstance(values, Tensor) or tuple(values.shape) != shape:
            came = list(values.shape) if isinstance(values, Tensor) else f"a {type(values).__name__}"
            raise TevoError(f"the reward {name} returned {came}, wanted is a tensor of shape {list(shape)}")
        if not bool(values.isfinite().all()):
            raise TevoError(f"the reward {name} returned a number that is not finite; clamp what it divides by")
        terms[name] = values.detach().float()
    return terms


def _find(name: str) -> object:
    if name in OWN_TERMS:
        raise TevoError(f"{name!r} is a reward of tevo's own, which has a weight of its own; rename yours")
    if ":" in name:
        module, _, function = name.partition(":")
        try:
            return getattr(import_module(module), function)
        except (ImportError, AttributeError, ValueError) as error:
            raise TevoError(
                f"the reward {name} cannot be imported ({error}): give module:function of a module that Python finds "
                "from the current folder"
            ) from error
    installed = _installed()
    if name not in installed:
        close = get_close_matches(name, installed, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise TevoError(
            f"no reward is called {name!r}; {hint}installed are: {', '.join(sorted(installed)) or 'none'}. A function "
            "of your own is given as module:function"
        )
    return installed[name].load()


def _checked(name: str, found: object, facts: type[SolverFacts] | type[QuestionerFacts]) -> Reward:
    """The function, when it can be called with these facts."""
    if not callable(found):
        raise TevoError(f"the reward {name} is a {type(found).__name__}, wanted is a function of {facts.__name__}")
    signature = inspect.signature(found)
    try:
        signature.bind(object())
    except TypeError as error:
        raise TevoError(f"the reward {name} takes {signature}; it is called with one {facts.__name__}") from error
    wanted = next(iter(signature.parameters.values())).annotation
    said = wanted if isinstance(wanted, str) else getattr(wanted, "__name__", "")
    other = {SolverFacts.__name__, QuestionerFacts.__name__} - {facts.__name__}
    if said.rpartition(".")[2] in other:
        raise TevoError(f"the reward {name} takes {said}, this role has {facts.__name__}: name it under the other role")
    return found


def _installed() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        other = found.get(point.name)
        if other is not None and other.value != point.value:
            raise TevoError(
                f"two rewards are called {point.name!r}: {other.value} of {_package(other)} and {point.value} of "
                f"{_package(point)}; uninstall or rename one of them"
            )
        found[point.name] = point
    return found


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unnamed package"
