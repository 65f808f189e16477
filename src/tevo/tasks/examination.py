"""What a judge made of questions: votes, their consensus, and how sure the answer is under every intervention."""

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor

from tevo.objectives.consensus import Consensus
from tevo.structures import Question


@dataclass(frozen=True, slots=True)
class Examination:
    """What a policy made of each question. A score is the mean probability of the with-video majority answer."""

    consensus: Consensus
    votes: Int[Tensor, "question vote"]  # option index, or -1
    spans: Float[Tensor, "question vote span 2"]  # seconds
    span_mask: Bool[Tensor, "question vote span"]
    with_video: Float[Tensor, "question"]
    without_video: Float[Tensor, "question"]
    shuffled: Float[Tensor, "question"]
    masked: Float[Tensor, "question"]  # the evidence removed
    key: Float[Tensor, "question"]  # the evidence alone
    random: Float[Tensor, "question"]  # a random span of the same length alone
    said: tuple[tuple[str, ...], ...] = ()  # what an index of ``votes`` means, a question; empty: its options
    texts: tuple[tuple[str, ...], ...] = ()  # the votes as written, a question; empty: they are no words

    def meanings(self, index: int, question: Question) -> tuple[str, ...]:
        """The answers that an index of a question's votes can mean; none for *when*."""
        return self.said[index] if self.said else question.options

    def signals(self) -> dict[str, Float[Tensor, "question"]]:
        """The unlabelled signals of ALGORITHM 7, one number a question."""
        return {
            "dependency": self.with_video - self.without_video,
            "order": self.with_video - self.shuffled,
            "necessity": self.with_video - self.masked,
            "specificity": self.key - self.random,
        }
