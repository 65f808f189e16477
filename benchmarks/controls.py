"""Controls of the main table: priors that see nothing, and supervised heads that see too little."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from runs import Bench
from torch import Tensor, nn
from torch.nn import functional as F

from tevo.heads.queries import encode_queries
from tevo.metrics.baselines import centre_prior, random_span, whole_video
from tevo.metrics.evaluation import evaluate_rows
from tevo.prompts.grammar import KINDS
from tevo.structures import Question
from tevo.video.reader import read_frames

FRACTIONS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
STEPS, LR, HIDDEN = 1500, 1e-3, 256
MOST = 2400  # training questions of the one-frame head, whose frames have to be read one by one


def prior_rows(bench: Bench, split: str, variant: str, seed: int) -> list[dict[str, Any]]:
    """Spans that look at nothing; the length of the centre prior is the best on the split, in its favour."""
    data, generator = bench.data(split), torch.Generator().manual_seed(seed)
    durations = {name: (info.start_s, info.duration_s) for name, info in data.found.asked.videos.items()}

    def rows(fraction: float) -> list[dict[str, Any]]:
        made = []
        for question in bench.questions(split):
            start, length = durations[question.video]
            if variant == "centre_prior":
                spans = centre_prior(length, fraction, start)
            elif variant == "random_span":
                spans = random_span(length, fraction, generator, start)
            else:
                spans = whole_video(length, start)
            made.append(
                {
                    "qid": question.id,
                    "pred_relevant_windows": [[s.start_s, s.end_s, 1.0] for s in spans],
                    "pred_answer": "",
                }
            )
        return made

    if variant != "centre_prior":
        return rows(0.1)
    return max(map(rows, FRACTIONS), key=lambda found: evaluate_rows(found, bench.questions(split))["overall"]["mIoU"])


Look = Callable[[str, Sequence[Question]], Tensor]
"""(split, questions) -> what the head may see of each, [question, seen]."""


class Guess(nn.Module):
    """A supervised head over the options: the question's kind and text, the options, and whatever is seen."""

    def __init__(self, joint: int, seen: int) -> None:
        super().__init__()
        self.kind = nn.Embedding(len(KINDS), 32)
        self.read = nn.Sequential(
            nn.Linear(32 + joint + seen + joint, HIDDEN),
            nn.GELU(),
            nn.Dropout(0.1),
            nn.Linear(HIDDEN, HIDDEN),
            nn.GELU(),
            nn.Linear(HIDDEN, 1),
        )

    def forward(self, kind: Tensor, phrase: Tensor, seen: Tensor, options: Tensor) -> Tensor:
        """Scores [question, option]."""
        context = torch.cat([self.kind(kind), phrase, seen], -1)[:, None].expand(-1, options.shape[1], -1)
        return self.read(torch.cat([context, options], -1))[..., 0]


def text_only_rows(bench: Bench, splits: Sequence[str], seed: int) -> dict[str, list[dict[str, Any]]]:
    """A supervised head that reads the question and the options and sees nothing."""
    questions = [q for q in bench.true_questions if q.options]
    return _fit_and_guess(bench, splits, seed, questions, lambda _, asked: torch.zeros(len(asked), 1))


def one_frame_rows(bench: Bench, splits: Sequence[str], seed: int) -> dict[str, list[dict[str, Any]]]:
    """A supervised head that also sees the frame in the middle of the true evidence."""
    questions = [q for q in bench.true_questions if q.options][:MOST]
    return _fit_and_guess(bench, splits, seed, questions, lambda split, asked: middle_frames(bench, split, asked))


def middle_frames(bench: Bench, split: str, questions: Sequence[Question]) -> Tensor:
    """The backbone's tokens of one frame a question: what is there in the middle of its true evidence."""
    data = bench.data(split)
    videos = data.videos if split == "train" else data.found.asked.videos
    spec, rows = bench.backbone.spec, []
    for question in questions:
        middle = sum((span.start_s + span.end_s) / 2 for span in question.evidence[:1])
        frame = read_frames(videos[question.video], [middle], spec.image_size_px)
        with torch.no_grad():
            tokens = bench.backbone.encode_video(frame.frames[None], frame.times_s[None].float())
        rows.append(tokens.values[0].mean(0))
    return torch.stack(rows)


def _fit_and_guess(
    bench: Bench, splits: Sequence[str], seed: int, questions: list[Question], look: Look
) -> dict[str, list[dict[str, Any]]]:
    torch.manual_seed(seed)
    queries = encode_queries(questions, torch.zeros(len(questions), dtype=torch.long), bench.backbone)  # type: ignore[arg-type]
    seen = look("train", questions)
    answer = torch.tensor([q.options.index(q.answer) for q in questions])
    head = Guess(queries.phrase.shape[-1], seen.shape[-1])
    optimizer = torch.optim.AdamW(head.parameters(), lr=LR, weight_decay=0.05)
    for _ in range(STEPS):
        rows = torch.randint(len(questions), (128,))
        scores = head(queries.kind[rows], queries.phrase[rows], seen[rows], queries.options[rows])
        loss = F.cross_entropy(scores.masked_fill(~queries.option_mask[rows], -1e4), answer[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {split: _guess(bench, split, head.eval(), look) for split in splits}


@torch.no_grad()
def _guess(bench: Bench, split: str, head: Guess, look: Look) -> list[dict[str, Any]]:
    asked = [q for q in bench.questions(split) if q.options]
    queries = encode_queries(asked, torch.zeros(len(asked), dtype=torch.long), bench.backbone)  # type: ignore[arg-type]
    scores = head(queries.kind, queries.phrase, look(split, asked), queries.options).masked_fill(
        ~queries.option_mask, -1e4
    )
    best = {q.id: q.options[int(index)] for q, index in zip(asked, scores.argmax(-1), strict=True)}
    return [
        {"qid": q.id, "pred_relevant_windows": [], "pred_answer": best.get(q.id, "")} for q in bench.questions(split)
    ]
