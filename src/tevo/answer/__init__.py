"""Asking a trained model: a video and a question in; the answer, its evidence in seconds and a confidence out."""

from tevo.answer.answerer import Answerer as Answerer
from tevo.answer.answers import Answer as Answer
from tevo.answer.answers import Judged as Judged
from tevo.answer.answers import Look as Look
from tevo.answer.answers import Reply as Reply
from tevo.answer.loading import load as load
from tevo.answer.looker import Looker as Looker
from tevo.answer.looker import Request as Request
from tevo.answer.ways import WAYS as WAYS
from tevo.answer.ways import Answering as Answering
