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
from tevo.tasks.words import Words

ROUNDS = 2  # of a co-evolution: what a cell of four minutes on one core allows


@dataclass(frozen=True)
class Variant:
    """What differs from the defaults of a run, or from those of a family of backbones."""

    questioner: Mapping[str, Any] = field(default_factory=dict)  # of QuestionerConfig
    solver: Mapping[str, Any] = field(default_factory=dict)  # of SolverConfig
    run: Mapping[str, Any] = field(default_factory=dict)  # of CoEvolution
    data: Mapping[str, Any] = field(default_factory=dict)  # of VideoQuestions

    def on(self, base: "Variant") -> "Variant":
        """This variant where the defaults are another's."""
        return Variant(
            {**base.questioner, **self.questioner}, {**base.solver, **self.solver}, {**base.run, **self.run},
            {**base.data, **self.data},
        )  # fmt: skip

    def settings(self) -> dict[str, Any]:
        """Arguments of CoEvolution."""
        return {
            "questioner": replace(QuestionerConfig(), **self.questioner),
            "solver": replace(SolverConfig(), **self.solver),
            **self.run,
        }


_OPEN = PoolRule(agreement_low=0.0, agreement_high=1.0)  # the band of agreement, as in conf/
ENCODERS = Variant(run={"rounds": ROUNDS, "pool": _OPEN}, data={"videos_per_epoch": 160})
LANGUAGE_MODELS = Variant(  # as conf/quickstart_qwen.yaml
    questioner={"per_video": 8, "group": 4, "words": Words(max_new_tokens=112, control_votes=2)},
    solver={"group": 6, "grpo_lr": 5e-4, "words": Words(max_new_tokens=48, control_votes=2)},
    run={"rounds": ROUNDS, "pool": _OPEN, "votes": 4, "pseudo_label_epochs": 2},
    data={
        "max_tokens": 96, "max_frames": 256, "videos_per_epoch": 64, "questions_per_epoch": 1200,
        "curriculum": CurriculumConfig(opens="epoch", opens_at_round=(1, 1, 1, 9)),
    },
)  # fmt: skip


def base_of(backbone: str) -> Variant:
    """What a run on a backbone begins with."""
    return LANGUAGE_MODELS if backbone.startswith("qwen") else ENCODERS


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
SUPERVISED = tuple((objective, lr) for objective in ("cross_entropy", "grpo") for lr in (1e-3, 2e-3, 4e-3))
PRIORS = ("centre_prior", "random_span", "whole_video")
SEEDLESS = ("centre_prior", "whole_video", "zero_shot")  # nothing in them is drawn: made once
CELLS = (
    *PRIORS, "zero_shot", "text_only", "one_frame", *MAIN,
    *(f"supervised-{objective}-{lr:g}" for objective, lr in SUPERVISED),
)  # fmt: skip
ABLATIONS = {
    "questioner_frozen": Variant(run={"questioner_epochs": 0}),
    "questioner_harder": Variant(  # a hundred steps a round of 400 videos, where the default takes ten
        questioner={"lr": 3e-2}, run={"questioner_epochs": 4}, data={"videos_per_epoch": None}
    ),
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
    "minus_zoom": Variant(solver={"rewards": SolverWeights(zeta=0.0)}),
    "pseudo_labels_only": Variant(run={"grpo_epochs": 0}),
    "consensus_only": Variant(run={"witness": "solver"}),  # the Solver's own majority and span are its labels
    "rounds_6": Variant(run={"rounds": 6}),  # its rounds are those of shorter runs: nothing looks at how many come
}
VARIANTS = MAIN | ABLATIONS
