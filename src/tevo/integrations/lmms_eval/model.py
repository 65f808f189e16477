"""The model ``tevo`` of lmms-eval: a trained Solver behind its chat interface."""

import logging
from collections.abc import Sequence
from typing import Any

from lmms_eval.api.model import lmms

from tevo.answer import Answering, load
from tevo.errors import TevoError
from tevo.integrations.lmms_eval.chat import read_request, write_answer

log = logging.getLogger(__name__)


class TevoChat(lmms):  # type: ignore[misc]  # lmms-eval says no types
    """Answers lmms-eval's requests with a Solver.

    A Solver answers as it was trained to: ``gen_kwargs``, with the ``until`` that lmms-eval adds to them, say nothing
    to it.

    Args:
        pretrained: what :func:`tevo.load` takes: a run, a Solver's folder, a language model's, a backbone's name.
        batch_size: as lmms-eval gives it, a text; questions are batched by their videos instead.
        max_batch_size: likewise.
        device: where the model is put.
        cache_dir: as in :func:`tevo.load`.
        max_cache_gb: as in :func:`tevo.load`.
        answering: ``single``, ``coarse_to_fine`` or ``divide_and_conquer``.
        subtitles: whether subtitles are read too, beside a video or inside it.

    Raises:
        TevoError: an argument that is unknown, no ``pretrained``, or a folder that cannot be loaded.
    """

    is_simple = False

    def __init__(
        self,
        pretrained: str = "",
        batch_size: int | str = 1,
        max_batch_size: int | str | None = None,
        device: str | None = None,
        cache_dir: str | None = None,
        max_cache_gb: float = 20.0,
        answering: str = "single",
        subtitles: bool = False,
        **unknown: Any,
    ) -> None:
        super().__init__()
        known = "pretrained, cache_dir, max_cache_gb, answering, subtitles"
        if unknown:
            raise TevoError(f"--model_args has {', '.join(unknown)}, which tevo does not know; it knows {known}")
        if not pretrained:
            raise TevoError("--model_args names no model: give pretrained=FOLDER, such as hf/round-N/solver of a run")
        self.answering, self.subtitles = Answering(answering), bool(subtitles)
        self.answerer = load(pretrained, cache_dir=cache_dir, max_cache_gb=float(max_cache_gb), device=device)

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """A reply a request, in their order; empty, and named in the log, where the video cannot be read.

        Args:
            requests: lmms-eval's; ``args`` are the context, a function that makes messages of a row, the generation
                arguments, the row's number, the task and the split.
        """
        asked = []
        for request in requests:
            _, make_messages, _, number, task, split = request.args
            row = self.task_dict[task][split][number]
            asked.append(read_request(make_messages(row), row, f"{task} row {number}"))
        said = self.answerer.answer_all(
            [one.question for one in asked],
            progress=self.rank == 0,
            answering=self.answering,
            subtitles=self.subtitles,
        )
        replies = []
        for request, one, reply in zip(requests, asked, said, strict=True):
            if reply.answer is None:
                log.warning("%s is not answered: %s: %s", one.question.id, one.question.video, reply.reason)
            text = "" if reply.answer is None else write_answer(reply.answer, one)
            self.cache_hook.add_partial("generate_until", (request.args[0], request.args[2]), text)
            replies.append(text)
        return replies

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """Refused: a Solver answers.

        Raises:
            TevoError: always.
        """
        raise TevoError(f"{_tasks(requests)} compare likelihoods of given words; tevo runs tasks of `generate_until`")

    def generate_until_multi_round(self, requests: Sequence[Any]) -> list[str]:
        """Refused: a Solver answers one question at a time.

        Raises:
            TevoError: always.
        """
        raise TevoError(f"{_tasks(requests)} go on over several rounds; tevo runs tasks of `generate_until`")


def _tasks(requests: Sequence[Any]) -> str:
    return "the tasks " + ", ".join(sorted({str(request.task_name) for request in requests}))
