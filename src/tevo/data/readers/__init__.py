"""Annotated questions for evaluation, never for training: benchmarks as declarations, and tevo's own layout."""

from tevo.data.readers.annotations import Annotations as Annotations
from tevo.data.readers.annotations import read_annotations as read_annotations
from tevo.data.readers.benchmark import FILE as FILE
from tevo.data.readers.benchmark import FOLDER as FOLDER
from tevo.data.readers.benchmark import NUMBER as NUMBER
from tevo.data.readers.benchmark import Benchmark as Benchmark
from tevo.data.readers.benchmark import Column as Column
from tevo.data.readers.benchmark import Layout as Layout
from tevo.data.readers.benchmark import gathered as gathered
from tevo.data.readers.benchmark import joined as joined
from tevo.data.readers.benchmark import maybe as maybe
from tevo.data.readers.reading import BenchmarkQuestions as BenchmarkQuestions
from tevo.data.readers.reading import read_benchmark as read_benchmark
from tevo.data.readers.registry import get_benchmark as get_benchmark
from tevo.data.readers.registry import list_benchmarks as list_benchmarks
from tevo.data.readers.registry import register_benchmark as register_benchmark
from tevo.data.readers.report import Note as Note
from tevo.data.readers.report import ReadReport as ReadReport
from tevo.data.readers.report import Reason as Reason
from tevo.data.readers.report import RowProblem as RowProblem
from tevo.data.readers.rows import Row as Row
from tevo.data.readers.rows import read_nested as read_nested
from tevo.data.readers.rows import read_table as read_table
