"""What a rehearsal took, held and left, for ``tevo plan``."""

import sys
import time
from pathlib import Path

from tevo.backbones.language import LanguageModel
from tevo.data.loader import Share
from tevo.data.serving import serve_questions
from tevo.prompts.solver import solver_prompt
from tevo.tasks.checkpoints import LAST
from tevo.tasks.language.solver import LanguageSolver
from tevo.verbs.rehearsal import Rehearsal


def seconds_an_answer(cli: Rehearsal) -> float:
    """How long the model takes for a question of the rehearsal's pool."""
    model, data = cli.evolution, cli.videos
    questions = [verdict.question for verdict in data.pool.verdicts]
    began = time.perf_counter()
    for batch in serve_questions(data.store, data.videos, questions, data.questions_per_batch, Share()):
        model.answer_batch(batch)
    return (time.perf_counter() - began) / max(1, len(questions))


def writes(cli: Rehearsal) -> str:
    """What a language model reads beside the video, and what it writes, in words; empty of a backbone that is none.

    The text's tokens are those of its questions to the Solver, without the marks of the chat around them.
    """
    model, data = cli.evolution, cli.videos
    if not isinstance(model.solver, LanguageSolver) or not isinstance(model.backbone, LanguageModel):
        return ""
    asked = [verdict.question for verdict in data.pool.verdicts]
    texts = [solver_prompt(question, data.durations_s[question.video], model.solver.templates) for question in asked]
    long = model.backbone.encode_reply([texts]).mask.sum(-1).float().mean() if texts else 0
    most = [role.words.max_new_tokens for role in (model.questioner.config, model.solver.config)]
    return (
        f" (its share of a prompt)\n        and about {long:.0f} of a prompt's text; replies of at most {most[0]} "
        f"(Questioner) and {most[1]} (Solver)"
    )


def left_bytes(run: Path, rounds: int) -> int:
    """What the folder of a run will hold when it has ended, if every round leaves what the rehearsal's one has left."""
    before, after = (size_of(run / "hf" / f"round-{number}") for number in (0, 1))
    return before + rounds * after + (rounds + 1) * size_of(run / "checkpoints" / LAST)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def peak_bytes() -> int:
    """The most memory this process has held so far."""
    import resource

    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held if sys.platform == "darwin" else 1024 * held
