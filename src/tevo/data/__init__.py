"""Data rooms: a folder of raw videos, the questions about them, and what is served when."""

from tevo.data.datasets import PooledBatch as PooledBatch
from tevo.data.datasets import QuestionBatch as QuestionBatch
from tevo.data.datasets import VideoBatch as VideoBatch
