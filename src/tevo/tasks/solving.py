"""How a Solver learns, and what a batch of its rollouts is."""

from dataclasses import dataclass, field

from jaxtyping import Bool, Float
from torch import Tensor

from tevo.backbones.tuning import TowerConfig
from tevo.data.datasets import VideoBatch
from tevo.errors import TevoError
from tevo.heads.evidence import HeadConfig
from tevo.heads.policy import Sampled
from tevo.heads.queries import Queries
from tevo.objectives.credit import CREDIT
from tevo.objectives.policy import PolicyRule
from tevo.objectives.rewards import SolverWeights
from tevo.structures import VideoTokens
from tevo.tasks.words import Words


@dataclass(frozen=True)  # no slots: jsonargparse reads a default with vars()
class SolverConfig:
    """How the Solver learns."""

    group: int = 8  # G, rollouts a question
    credit: str = "token"  # token | sequence | decoupled | token_zz
    boundary_penalty: bool = False  # multiply the alignment reward by EvoGround's boundary term
    view_jitter: float = 0.1  # share of tokens left out of a training view
    kl: float = 1e-2  # beta, weight of the KL to the zero-shot Solver in the GRPO loss
    span_loss: float = 1.0  # weight of the span likelihood in the pseudo-label objective
    saliency_loss: float = 0.5  # assumed; weight of the per-token saliency in the pseudo-label objective
    answer_loss: float = 1.0  # weight of the answer in the pseudo-label objective
    outcome_gate: bool = True  # groups without a right answer, or without variance, give no update
    lr: float = 2e-3  # learning rate of the pseudo-label objective
    grpo_lr: float = 2e-4  # learning rate of GRPO
    tower: TowerConfig = field(default_factory=TowerConfig)  # the video tower, where it learns too
    head: HeadConfig = field(default_factory=HeadConfig)
    rewards: SolverWeights = field(default_factory=SolverWeights)
    policy: PolicyRule = field(default_factory=PolicyRule)
    words: Words = field(default_factory=Words)

    def __post_init__(self) -> None:
        if self.credit not in CREDIT:
            raise TevoError(f"unknown credit {self.credit!r}: choose one of {', '.join(CREDIT)}")


@dataclass(frozen=True, slots=True)
class Experience:
    """Rollouts of a batch with all that an update on them needs; nothing of it has a gradient."""

    videos: VideoBatch
    tokens: VideoTokens  # the view of them that the rollouts were sampled from
    queries: Queries
    sampled: Sampled
    reference: Float[Tensor, "question group token"]  # log-probabilities under the zero-shot Solver
    credit: Float[Tensor, "question group token"]
    mask: Bool[Tensor, "question group token"]  # tokens of groups that the outcome gate lets through
    figures: dict[str, float]  # to log
