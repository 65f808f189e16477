"""What a verb needs to find on disk before it can run: videos to train on, questions with their videos."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tevo.data.collection import Collection, Probing, check_enough, keep_usable
from tevo.data.questions import QuestionSet, locate, read_questions
from tevo.data.readers.annotations import read_annotations
from tevo.errors import TevoError
from tevo.video.index import BadVideo
from tevo.video.info import VideoInfo


@dataclass(frozen=True, slots=True)
class Found:
    """What is there, and what is not usable."""

    videos: dict[str, VideoInfo] = field(default_factory=dict)  # to train on, by name, sorted
    asked: QuestionSet = field(default_factory=lambda: QuestionSet([], {}, []))  # annotated, or to predict
    bad: list[BadVideo] = field(default_factory=list)

    def facts(self) -> "Facts":
        """What must be the same on every process."""
        usable = (info for part in (self.videos, self.asked.videos) for info in part.values())
        return Facts({info.path: info.fingerprint for info in usable}, {bad.path: bad.reason for bad in self.bad})


@dataclass(frozen=True, slots=True)
class Facts:
    """What one process makes of the files."""

    usable: dict[str, str]  # fingerprint by path
    bad: dict[str, str]  # reason by path

    def digest(self) -> str:
        """The same where the usable files are the same."""
        return hashlib.sha256(json.dumps(self.usable, sort_keys=True).encode()).hexdigest()


def disputed(all_facts: Sequence[Facts]) -> dict[str, BadVideo]:
    """Files that are not the same, or not usable, on every process, by path; the same whoever asks."""
    bad: dict[str, BadVideo] = {}
    for path in sorted(set().union(*(facts.usable for facts in all_facts))):
        if len({facts.usable.get(path) for facts in all_facts}) > 1:
            reasons = (facts.bad[path] for facts in all_facts if path in facts.bad)
            bad[path] = BadVideo(path, next(reasons, "not the same on all machines"))
    return bad


@dataclass(frozen=True)
class Sources:
    """What the user named.

    Args:
        root: the videos.
        val_annotations: annotated questions.
        questions: questions to predict.
        min_videos: fewer usable videos than this are refused.
        min_duration_s: seconds; shorter videos are not used.
        probing: how files are probed.
    """

    root: str
    val_annotations: str | None
    questions: str | None
    min_videos: int
    min_duration_s: float
    probing: Probing

    def find(self, stage: str, progress: bool = False, number: int = 0) -> Found:
        """Probe what a verb needs; files that are known from an earlier scan are not opened again.

        Args:
            stage: Lightning's: fit, validate, test or predict.
            progress: show a bar on a terminal.
            number: this process's, where several run.

        Raises:
            TevoError: fewer usable videos than ``min_videos``, or a verb without its questions.
        """
        probing = replace(self.probing, progress=progress and self.probing.progress, number=number)
        asked = self._asked(stage, probing)
        if stage != "fit":
            return Found(asked=asked, bad=list(asked.bad))
        never = {info.path for info in asked.videos.values()}
        everything = probing.root(self.root)
        kept = keep_usable(everything, self.min_duration_s, never)
        self.check(kept, sum(info.path in never for info in everything.videos.values()))
        return Found(dict(sorted(kept.videos.items())), asked, [*asked.bad, *kept.bad])

    def without(self, found: Found, failed: dict[str, BadVideo]) -> Found:
        """What is left when some videos (by path) turn out not to decode.

        Raises:
            TevoError: fewer videos than ``min_videos`` are left to train on.
        """
        videos = {name: info for name, info in found.videos.items() if info.path not in failed}
        asked = found.asked.only({name for name, info in found.asked.videos.items() if info.path not in failed})
        named = {bad.path for bad in found.bad}
        left = Found(videos, asked, [*found.bad, *(bad for path, bad in failed.items() if path not in named)])
        if len(videos) < len(found.videos):
            self.check(Collection(videos, left.bad))
        return left

    def check(self, collection: Collection, num_held_back: int = 0) -> None:
        """Refuse fewer videos than ``min_videos``."""
        check_enough(collection, self.min_videos, self.root, num_held_back)

    def _asked(self, stage: str, probing: Probing) -> QuestionSet:
        if stage == "predict":
            if self.questions is None:
                raise TevoError("predict answers a file of questions: give it with --data.questions FILE.jsonl")
            return locate(read_questions(self.questions, self.root), Path(self.questions).parent, probing)
        if self.val_annotations is not None:
            questions = read_annotations(self.val_annotations).questions
            return locate(questions, Path(self.val_annotations).parent, probing)
        if stage != "fit":
            raise TevoError(f"{stage} needs annotated questions: give them with --data.val_annotations FILE.jsonl")
        return QuestionSet([], {}, [])
