"""The variants of a co-evolution in the tables: the full one, and what is left of it when one part is changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tevo.data.curriculum import CurriculumConfig
from tevo.heads.asker import CueWeights
from tevo.heads.evidence import HeadConfig
from tevo.objectives.consensus import PoolRule
from tevo.objectives.rewards import QuestionerWeights, SolverWeights
from tevo.tasks.asked import QuestionerConfig
from tevo.tasks.solving import SolverConfig

ROUNDS = 2  # of a co-evolution: what a cell of four minutes on one core allows


@dataclass(frozen=True)
class Variant:
    """What differs from the defaults of a run."""

    questioner: Mapping[str, Any] = field(default_factory=dict)  # of QuestionerConfig
    solver: Mapping[str, Any] = field(default_factory=dict)  # of SolverConfig
    run: Mapping[str, Any] = field(default_factory=dict)  # of CoEvolution
    data: Mapping[str, Any] = field(default_factory=dict)  # of VideoQuestions

    def settings(self) -> dict[str, Any]:
        """Arguments of CoEvolution. The pool's band of agreement is open, as in conf/."""
        opened = {"rounds": ROUNDS, "pool": PoolRule(agreement_low=0.0, agreement_high=1.0)}
        roles = {
            "questioner": replace(QuestionerConfig(), **self.questioner),
            "solver": replace(SolverConfig(), **self.solver),
        }
        return {**opened, **roles, **self.run}


def _without(term: str) -> Variant:
    """A run without one term of the Questioner's reward."""
    return Variant(questioner={"rewards": replace(QuestionerWeights(), **{term: 0.0})})


MAIN = {
    "full": Variant(),
    "difficulty_only": Variant(  # learnability and answer reward alone, the Solver's own majority as label
        questioner={"rewards": QuestionerWeights(dependency=0.0, order=0.0, evidence=0.0)},
        solver={"rewards": SolverWeights(alpha=0.0, zeta=0.0), "span_loss": 0.0, "saliency_loss": 0.0},
        run={"witness": "solver", "pool": PoolRule()},
    ),
}
ABLATIONS = {
    "questioner_frozen": Variant(run={"questioner_epochs": 0}),
    "solver_frozen": Variant(solver={"lr": 0.0, "grpo_lr": 0.0}),
    "random_evidence": Variant(questioner={"windows": "random"}),
    "full_view": Variant(questioner={"view": "full"}),
    **{f"minus_{term}": _without(term) for term in ("dependency", "order", "evidence", "repetition")},
    "minus_outcome_gate": Variant(solver={"outcome_gate": False}),
    "minus_curriculum": Variant(data={"curriculum": CurriculumConfig(enabled=False)}),
    "minus_relation": Variant(solver={"head": HeadConfig(relation=False)}),
    "minus_evidence_attention": Variant(solver={"head": HeadConfig(evidence_attention=False)}),
    **{
        f"minus_{cue}_cue": Variant(questioner={"cues": replace(CueWeights(), **{cue: 0.0})})
        for cue in ("saliency", "semantic", "temporal")
    },
    **{f"credit_{credit}": Variant(solver={"credit": credit}) for credit in ("sequence", "decoupled", "token_zz")},
    "pseudo_labels_only": Variant(run={"grpo_epochs": 0}),
    **{f"rounds_{number}": Variant(run={"rounds": number}) for number in (1, 3, 4, 5, 6)},
}
VARIANTS = MAIN | ABLATIONS
