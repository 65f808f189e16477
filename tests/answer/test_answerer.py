"""A video and a question in, the answer out: real clips, real tiny towers, seconds of the file itself."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import tevo
from tevo.answer import Answer, Answerer
from tevo.backbones import build_backbone
from tevo.backbones.tiny import save_tiny
from tevo.data.datasets import collate_videos
from tevo.data.features import FeatureStore
from tevo.data.views import ViewPlan
from tevo.errors import TevoError
from tevo.prompts.phrases import COUNTS, DURATIONS
from tevo.structures import Question, Span
from tevo.tasks.folders import Release, load_solver, save_solver
from tevo.tasks.solver import Solver
from tevo.tasks.solving import SolverConfig
from tevo.video.decoder import VideoError
from tevo.video.info import probe

CLIPS = Path(__file__).parents[1] / "data" / "videos"
LONG = CLIPS / "made" / "events7_vfr.mp4"  # 23 s
LATE = CLIPS / "androidx-media" / "sample_h264_mpeg_audio.ts"  # begins at 1.47 s
ONE_FRAME = CLIPS / "made" / "one_frame.mp4"
BROKEN = CLIPS / "made" / "text_named.mp4"
PHRASES = ("a door opens", "a pan falls", "a dog barks", "a light goes out", "a cup breaks")
OPTIONS = ["a door opens", "a pan falls", "a dog barks"]
PLAN = ViewPlan(1.5, 30, 3, 4, torch.float32)  # of the run; none of it the default


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run's folder, with a Solver that is past its zero-shot beginnings, and the weights its backbone is built of."""
    root = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    clip = build_backbone("clip_tiny", pretrained=None)
    words = clip.tokenizer([*PHRASES, *COUNTS, *DURATIONS]).unique().tolist()
    save_tiny(clip.model, root / "weights" / "clip_tiny.safetensors", words)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tevo.backbones.tiny.WEIGHTS", root / "weights")
        patch.chdir(root)
        backbone = build_backbone("clip_tiny")
        solver = Solver(128, 128, backbone, SolverConfig())
        with torch.no_grad():
            for weight in solver.policy.parameters():
                weight += 0.1 * torch.randn(weight.shape)
        save_solver(root / "hf" / "round-3" / "solver", solver, Release(backbone, {}, PLAN, PHRASES, {"round": 3}))
        yield root


@pytest.fixture(scope="module")
def model(run):
    return tevo.load("hf/round-3/solver", cache_dir=run / "cache")


def fresh(run, tmp_path):
    return tevo.load(run / "hf" / "round-3" / "solver", cache_dir=tmp_path)


def inside(answer, video):
    info = probe(video)
    return all(info.start_s <= span.start_s <= span.end_s <= info.end_s for span in answer.spans)


# --- one question ---


def test_a_choice_is_answered_with_its_evidence(model):
    answer = model.answer(LONG, "What happens first?", OPTIONS)
    assert isinstance(model, Answerer) and isinstance(answer, Answer)
    assert list(answer.option_probs) == OPTIONS
    assert sum(answer.option_probs.values()) == pytest.approx(1, abs=1e-5)
    assert answer.answer == max(OPTIONS, key=answer.option_probs.__getitem__)
    assert answer.confidence == answer.option_probs[answer.answer]
    assert len(answer.spans) == len(answer.span_scores) == 1 and inside(answer, LONG)
    assert (answer.path, answer.parsed) == ("single pass", True)


def test_the_order_of_the_options_does_not_matter(model):
    one = model.answer(LONG, "What happens last?", OPTIONS)
    other = model.answer(LONG, "What happens last?", OPTIONS[::-1])
    assert one.option_probs == pytest.approx(other.option_probs, abs=1e-5)
    assert (one.answer, one.spans) == (other.answer, other.spans)


def test_it_is_what_the_solver_predicts(model):
    """The way through files, probing and the cache changes nothing."""
    question = Question("q", "v", "What happens first?", "first", tuple(OPTIONS))
    info = probe(LONG)
    batch = collate_videos([model.store.get(info, "v")])
    best = model.solver.predict_questions(batch, model.solver.queries([question], torch.zeros(1, dtype=torch.long)))
    answer = model.answer(LONG, question.text, OPTIONS)
    assert list(answer.option_probs.values()) == best.option_probs[0].tolist()
    wanted = Span(*best.spans[0, 0].tolist()).clamp(Span(info.start_s, info.end_s))
    assert answer.spans == (wanted,)


def test_when_is_answered_by_the_spans(model):
    answer = model.answer(LONG, "When does this happen: a pan falls?")
    assert answer.answer is None and answer.option_probs == {}
    assert answer.confidence == answer.span_scores[0] > 0
    assert len(answer.spans) == 1 and inside(answer, LONG)


@pytest.mark.parametrize("window", [(2.0, 5.0), (11.0, 14.0), (18.0, 22.0)])
def test_seconds_in_the_question_and_in_the_answer_are_the_same_seconds(model, window):
    answer = model.answer(LONG, f"What happens between {window[0]} s and {window[1]} s?", OPTIONS)
    token_s = 23.44 / PLAN.max_frames
    assert all(window[0] - token_s <= span.start_s and span.end_s <= window[1] + token_s for span in answer.spans)


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("What happens first?", PHRASES),
        ("What happens right after this: a door opens?", PHRASES[1:]),
        ("Why does this happen: a cup breaks?", PHRASES[:-1]),
        ("How often does this happen: a dog barks?", COUNTS),
        ("How long does this last: a dog barks?", DURATIONS),
        ("so what is going on in the kitchen", PHRASES),
        ("a dog barks", PHRASES),
    ],
)
def test_an_open_question_is_answered_over_what_may_answer_it(model, question, wanted):
    answer = model.answer(LONG, question)
    assert tuple(answer.option_probs) == wanted
    assert answer.answer in wanted
    assert 1 <= len(answer.spans) <= 4 and inside(answer, LONG)


def test_an_answer_in_one_line():
    spans = (Span(1.25, 3.0), Span(7.0, 8.0))
    assert str(Answer("once", spans, (0.5, 0.2), 0.625, {})) == "once [1.2-3.0 s, 7.0-8.0 s] (confidence 0.62)"
    assert str(Answer(None, spans[:1], (0.5,), 0.5, {})) == "1.2-3.0 s (confidence 0.50)"


@pytest.mark.parametrize("video", [LATE, ONE_FRAME], ids=lambda path: path.stem)
def test_odd_videos_are_answered_in_their_own_seconds(model, video):
    answer = model.answer(str(video), "What happens first?", OPTIONS)
    assert answer.answer in OPTIONS and inside(answer, video)


def test_a_backbone_of_clips_answers_too(tmp_path):
    backbone = build_backbone("videomae_tiny", pretrained=None)
    solver = Solver(backbone.spec.dim, 128, backbone, SolverConfig())
    answer = Answerer(solver, Release(backbone, {}, PLAN, PHRASES), tmp_path).answer(LONG, "What happens last?")
    assert answer.answer in PHRASES and inside(answer, LONG)


# --- many questions ---


def test_many_questions_are_answered_in_their_order_as_one_by_one(model, tmp_path):
    for path in (LONG, LATE, BROKEN):
        shutil.copy(path, tmp_path)
    questions = [
        Question("a", LATE.name, "What happens first?", "first", tuple(OPTIONS)),
        Question("b", LONG.name, "What happens last?", "last"),
        Question("c", BROKEN.name, "What happens last?", "last"),
        Question("a", LATE.name, "When does this happen: a pan falls?", "when"),
        Question("e", "nowhere.mp4", "What happens last?", "last"),
        Question("f", str(LONG), "What happens first?", "first", tuple(OPTIONS)),
    ]
    replies = model.answer_all(questions, root=tmp_path, progress=False)
    assert [reply.question for reply in replies] == questions
    assert [reply.reason for reply in replies] == ["", "", "not a video", "", "file not found", ""]
    for question, reply in zip(questions, replies, strict=True):
        if reply.reason:
            assert reply.answer is None
            continue
        alone = model.answer(tmp_path / question.video, question.text, question.options)
        assert (reply.answer.answer, reply.answer.spans) == (alone.answer, alone.spans)
        assert reply.answer.option_probs == pytest.approx(alone.option_probs, abs=1e-5)


def test_no_questions_no_replies(model):
    assert model.answer_all([]) == []


def test_a_video_is_encoded_once_for_all_questions_and_never_again(run, tmp_path, monkeypatch):
    model = fresh(run, tmp_path)
    seen, real = [], model.store.backbone.encode_video
    monkeypatch.setattr(
        model.store.backbone, "encode_video", lambda frames, times_s: seen.append(1) or real(frames, times_s)
    )
    questions = [Question(str(n), str(LONG), f"What happens between {n} s and {n + 2} s?", "what") for n in range(9)]
    assert all(reply.answer for reply in model.answer_all(questions, progress=False))
    assert len(seen) == 1  # the base view alone
    model.answer(LONG, "What happens first?")
    assert len(seen) == 1
    again = fresh(run, tmp_path)
    monkeypatch.setattr(again.store.backbone, "encode_video", None)  # would raise
    assert again.answer(LONG, "What happens first?", OPTIONS).answer in OPTIONS


def test_what_a_run_has_looked_at_is_not_looked_at_again(run, tmp_path, monkeypatch):
    """The frames of the run, not those of the defaults, are what the model is shown."""
    store = FeatureStore(
        build_backbone("clip_tiny"),
        tmp_path / "features",
        1.5,
        max_frames=30,
        dense_factor=3,
        seed=4,
        dtype=torch.float32,
    )
    store.encode_all({"v": probe(LONG)}, progress=False)
    model = fresh(run, tmp_path)
    monkeypatch.setattr(model.store.backbone, "encode_video", None)  # would raise
    assert model.answer(LONG, "What happens first?", OPTIONS).answer in OPTIONS


# --- the evidence of predictions ---


def claimed(qid, vid, query, windows, **columns):
    return {"qid": qid, "vid": vid, "query": query, "pred_relevant_windows": windows, **columns}


def test_evidence_of_any_predictions_is_judged_in_their_order(model, tmp_path):
    """A choice, spans alone, a video named without its suffix, one that is not there, one that cannot be read."""
    for path in (LONG, LATE, BROKEN):
        shutil.copy(path, tmp_path)
    rows = [
        claimed("a", LATE.name, "What happens first?", [[2.0, 3.5]], options=OPTIONS, pred_answer=OPTIONS[1]),
        claimed("b", "nowhere", "a pan falls", [[1.0, 2.0]]),
        claimed("c", LONG.stem, "a pan falls", [[3.0, 6.0, 0.9], [10.0, 12.0, 0.2]]),
        claimed("d", BROKEN.name, "a pan falls", [[1.0, 2.0]]),
        claimed("e", str(LONG), "When does this happen: a dog barks?", []),
    ]
    shutil.move(tmp_path / LONG.name, tmp_path / f"{LONG.stem}.mp4")
    judged = model.evidence_quality(rows, tmp_path, progress=False)
    assert [one.qid for one in judged] == ["a", "b", "c", "d", "e"]
    assert [one.reason for one in judged] == ["", "file not found", "", "not a video", ""]
    assert [bool(one.terms) for one in judged] == [True, False, True, False, True]
    for one in judged:
        assert all(-1 <= value <= 1 for value in one.terms.values())
    assert judged[4].terms["quality"] == 0.0
    again = model.evidence_quality(rows, tmp_path, progress=False)
    assert again == judged
    first = model.evidence_quality(rows, tmp_path, windows=1, progress=False)
    assert first[2].terms != judged[2].terms


def test_no_predictions_nothing_judged(model):
    assert model.evidence_quality([]) == []


# --- what cannot be answered ---


@pytest.mark.parametrize(("video", "reason"), [("nowhere.mp4", "file not found"), (BROKEN, "not a video")])
def test_a_video_that_cannot_be_read(model, video, reason):
    with pytest.raises(VideoError, match=reason) as caught:
        model.answer(video, "What happens first?")
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("question", "options", "said"),
    [
        ("What happens first?", ["a pan falls"], r"has one option, 'a pan falls': give two or more"),
        ("What happens first?", "a pan falls", r"options is the text 'a pan falls'; wanted is a list"),
        ("What happens first?", ["a pan falls", " "], r"has an empty option"),
        ("What happens first?", ["a", "b", "a"], r"has the option 'a' more than once"),
        ("  ", [], r"is empty: write what you want to know"),
        ("What happens between 30 s and 40 s?", [], r"asks about 30 to 40 s, but .* runs from 0 to 23\.\d+ s"),
    ],
)
def test_a_question_that_cannot_be_used(model, question, options, said):
    with pytest.raises(TevoError, match=said):
        model.answer(LONG, question, options)


def test_a_useless_question_among_many_is_said_before_any_video_is_encoded(run, tmp_path, monkeypatch):
    model = fresh(run, tmp_path)
    monkeypatch.setattr(model.store.backbone, "encode_video", None)
    texts = ("What happens first?", "What happens between 30 s and 40 s?")
    asked = [Question("a", str(LONG), text, "what") for text in texts]
    with pytest.raises(TevoError, match="runs from 0 to 23"):
        model.answer_all(asked, progress=False)


def test_a_missing_root(model):
    with pytest.raises(TevoError, match="there is no folder nowhere"):
        model.answer_all([Question("a", "v.mp4", "What happens first?", "first")], root="nowhere")


def test_a_backbone_of_ones_own_is_given(run, tmp_path):
    backbone = build_backbone("clip_tiny")
    answer = tevo.load("hf/round-3/solver", backbone, tmp_path).answer(LONG, "What happens first?", OPTIONS)
    assert answer.answer in OPTIONS


# --- closer looks, chunks, subtitles ---


@pytest.fixture(scope="module")
def short_sighted(run):
    """The same model with room for 16 frames in a look: the video is too long for it."""
    plan = ViewPlan(1.5, 16, 2, 4, torch.float32)
    return Answerer(*_reloaded(run, plan), cache_dir=run / "cache16")


def _reloaded(run, plan):
    solver, release = load_solver(run / "hf" / "round-3" / "solver", build_backbone("clip_tiny"))
    return solver, replace(release, plan=plan)


@pytest.mark.parametrize("way", ["coarse_to_fine", "divide_and_conquer"])
@pytest.mark.parametrize("question", ["What happens first?", "When does this happen: a pan falls?"])
def test_every_way_gives_answer_spans_path_and_cost(short_sighted, way, question):
    options = OPTIONS if question.startswith("What") else []
    answer = short_sighted.answer(LONG, question, options, answering=way)
    assert (answer.answer in OPTIONS) if options else (answer.answer is None)
    assert answer.spans and inside(answer, LONG) and 0 < answer.confidence <= 1
    assert answer.path.startswith(way.replace("_", " "))
    assert len(answer.looks) > 1
    assert answer.token_forwards == sum(look.token_forwards for look in answer.looks) > 16
    assert all(1 <= look.token_forwards <= 17 for look in answer.looks)


def test_a_chunk_shows_its_own_seconds(short_sighted):
    answer = short_sighted.answer(LONG, "When does this happen: a pan falls?", answering="divide_and_conquer")
    for look in answer.looks:
        if look.name.startswith("chunk "):
            (shown,) = look.shown
            assert all(shown.start_s - 0.1 <= span.start_s and span.end_s <= shown.end_s + 0.1 for span in look.spans)


def test_an_unknown_way_is_refused_before_any_video_is_encoded(run, tmp_path, monkeypatch):
    model = fresh(run, tmp_path)
    monkeypatch.setattr(model.store.backbone, "encode_video", None)
    with pytest.raises(TevoError, match="no way to answer is called 'thrice': choose one of single"):
        model.answer(LONG, "What happens first?", OPTIONS, answering="thrice")


def test_a_part_that_a_benchmark_shows_is_all_that_is_seen(model):
    asked = Question("a", str(LONG), "What happens last?", "last", tuple(OPTIONS), shown=Span(4.0, 9.0))
    (reply,) = model.answer_all([asked], progress=False)
    assert reply.answer.looks[0].shown == (Span(4.0, 9.0),)
    assert all(3.9 <= span.start_s <= span.end_s <= 9.1 for span in reply.answer.spans)
    with pytest.raises(TevoError, match="show a part of the video"):
        model.answer_all([replace(asked, shown=Span(40.0, 50.0))], progress=False)


def srt(path, *lines):
    """A side-car file: (start, end, words) a cue."""

    def clock(second):
        return f"00:00:{int(second):02d},{round(1000 * (second % 1)):03d}"

    cues = [f"{n}\n{clock(start)} --> {clock(end)}\n{words}\n" for n, (start, end, words) in enumerate(lines, start=1)]
    path.write_text("\n".join(cues))


def test_subtitles_are_read_when_asked_for_alone(model, tmp_path):
    video = tmp_path / "clip.mp4"
    shutil.copy(LONG, video)
    srt(tmp_path / "clip.srt", (1.0, 4.0, "a dog barks"), (10.0, 14.0, "a pan falls"))
    silent = model.answer(video, "What happens between 9 s and 15 s?", OPTIONS)
    spoken = model.answer(video, "What happens between 9 s and 15 s?", OPTIONS, subtitles=True)
    assert silent.notes == silent.subtitles == ()
    assert silent.option_probs == model.answer(LONG, "What happens between 9 s and 15 s?", OPTIONS).option_probs
    assert spoken.option_probs["a pan falls"] > silent.option_probs["a pan falls"]
    assert [cue.text for cue in spoken.subtitles] == ["a dog barks", "a pan falls"]
    assert spoken.token_forwards == silent.token_forwards + 2
    assert spoken.notes == (f"2 subtitles from {tmp_path / 'clip.srt'}",)


def test_damaged_and_missing_subtitles_are_notes(model, tmp_path):
    video = tmp_path / "clip.mp4"
    shutil.copy(LONG, video)
    plain = model.answer(video, "What happens first?", OPTIONS, subtitles=True)
    assert plain.notes == ("there are no subtitles, in the video or beside it",)
    srt(tmp_path / "clip.srt", (4.0, 1.0, "a dog barks"), (10.0, 14.0, "a pan falls"))
    damaged = model.answer(video, "What happens first?", OPTIONS, subtitles=True)
    assert damaged.notes[0].startswith("1 subtitles") and "'a dog barks' ends at 1 s" in damaged.notes[1]
    (tmp_path / "clip.srt").write_bytes(b"x" * (33 * 2**20))
    answer = model.answer(video, "What happens first?", OPTIONS, subtitles=True)
    assert answer.option_probs == plain.option_probs
    assert "answered without" in answer.notes[0] and "no subtitles" in answer.notes[0]
