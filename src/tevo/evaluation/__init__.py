"""Models on benchmarks under one frozen spec: what is asked, what they predict, how it compares."""

from tevo.evaluation.asked import Asked as Asked
from tevo.evaluation.asked import ask_benchmark as ask_benchmark
from tevo.evaluation.contestants import Contestant as Contestant
from tevo.evaluation.contestants import find_contestants as find_contestants
from tevo.evaluation.judging import JudgedEvidence as JudgedEvidence
from tevo.evaluation.judging import judge_rows as judge_rows
from tevo.evaluation.predicting import Predicted as Predicted
from tevo.evaluation.predicting import predict as predict
from tevo.evaluation.results import BenchmarkResult as BenchmarkResult
from tevo.evaluation.results import ModelScore as ModelScore
from tevo.evaluation.results import ProtocolResult as ProtocolResult
from tevo.evaluation.run import EvalResult as EvalResult
from tevo.evaluation.run import evaluate as evaluate
from tevo.evaluation.spec import BenchmarkChoice as BenchmarkChoice
from tevo.evaluation.spec import EvalSpec as EvalSpec
from tevo.evaluation.spec import agreed_spec as agreed_spec
from tevo.evaluation.spec import read_suite as read_suite
