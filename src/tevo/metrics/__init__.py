"""What the numbers are: spans and answers against annotations, baselines, intervals, the results file.

The face is lazy for the torchmetrics modules: the report and the tables need none of them, and
torchmetrics alone takes seconds to import.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from tevo.metrics.baselines import centre_prior as centre_prior
from tevo.metrics.baselines import dealt_windows as dealt_windows
from tevo.metrics.baselines import random_span as random_span
from tevo.metrics.baselines import shrink as shrink
from tevo.metrics.baselines import whole_video as whole_video
from tevo.metrics.bootstrap import Interval as Interval
from tevo.metrics.bootstrap import paired_bootstrap as paired_bootstrap
from tevo.metrics.evaluation import PROTOCOL as PROTOCOL
from tevo.metrics.evaluation import Evaluation as Evaluation
from tevo.metrics.evaluation import QuestionScore as QuestionScore
from tevo.metrics.evaluation import evaluate_rows as evaluate_rows
from tevo.metrics.evaluation import score_rows as score_rows
from tevo.metrics.evaluation import shrunk_control as shrunk_control
from tevo.metrics.predictions import Predictions as Predictions
from tevo.metrics.predictions import read_predictions as read_predictions
from tevo.metrics.protocols import PROTOCOLS as PROTOCOLS
from tevo.metrics.protocols import SCORERS as SCORERS
from tevo.metrics.protocols import protocols_of as protocols_of
from tevo.metrics.results import RoundResult as RoundResult
from tevo.metrics.results import RunResults as RunResults
from tevo.metrics.results import RunSpec as RunSpec
from tevo.metrics.results import Signals as Signals
from tevo.metrics.results import read_results as read_results
from tevo.metrics.results import write_results as write_results
from tevo.metrics.scores import grounded_share as grounded_share
from tevo.metrics.scores import mean_points as mean_points
from tevo.metrics.scores import recall_at as recall_at
from tevo.metrics.scoring import ScoreReport as ScoreReport
from tevo.metrics.scoring import score_predictions as score_predictions
from tevo.metrics.scoring import write_scores as write_scores

if TYPE_CHECKING:
    from tevo.metrics.averages import AllRightAccuracy as AllRightAccuracy
    from tevo.metrics.averages import MacroAccuracy as MacroAccuracy
    from tevo.metrics.averages import MeanRelativeAccuracy as MeanRelativeAccuracy
    from tevo.metrics.evidence_quality import EvidenceQuality as EvidenceQuality
    from tevo.metrics.evidence_quality import Probes as Probes
    from tevo.metrics.evidence_quality import quality_terms as quality_terms
    from tevo.metrics.grounding import MeanIoU as MeanIoU
    from tevo.metrics.grounding import RecallAtIoU as RecallAtIoU
    from tevo.metrics.qa import AnswerAccuracy as AnswerAccuracy
    from tevo.metrics.qa import GroundedAccuracy as GroundedAccuracy
    from tevo.metrics.qa import ValidationMetrics as ValidationMetrics
    from tevo.metrics.retrieval import HitAtOne as HitAtOne
    from tevo.metrics.retrieval import MeanAveragePrecision as MeanAveragePrecision
    from tevo.metrics.retrieval import RecallAtN as RecallAtN

_FILE_OF = {
    "AllRightAccuracy": "tevo.metrics.averages",
    "MacroAccuracy": "tevo.metrics.averages",
    "MeanRelativeAccuracy": "tevo.metrics.averages",
    "HitAtOne": "tevo.metrics.retrieval",
    "MeanAveragePrecision": "tevo.metrics.retrieval",
    "RecallAtN": "tevo.metrics.retrieval",
    "EvidenceQuality": "tevo.metrics.evidence_quality",
    "Probes": "tevo.metrics.evidence_quality",
    "quality_terms": "tevo.metrics.evidence_quality",
    "MeanIoU": "tevo.metrics.grounding",
    "RecallAtIoU": "tevo.metrics.grounding",
    "AnswerAccuracy": "tevo.metrics.qa",
    "GroundedAccuracy": "tevo.metrics.qa",
    "ValidationMetrics": "tevo.metrics.qa",
}


def __getattr__(name: str) -> object:
    """Import a torchmetrics module from its file when it is first asked for."""
    if name not in _FILE_OF:
        raise AttributeError(f"tevo.metrics has no name {name!r}")
    return getattr(import_module(_FILE_OF[name]), name)
