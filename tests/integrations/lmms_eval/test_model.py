"""The class that lmms-eval makes and asks; without lmms-eval a stand-in takes the place of its base class."""

import sys
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import tevo
from tevo.errors import TevoError
from tevo.integrations.lmms_eval import manifest

CLIPS = Path(__file__).parents[2] / "data" / "videos"
CLIP, BROKEN = CLIPS / "made" / "events7_vfr.mp4", CLIPS / "made" / "text_named.mp4"
OPTIONS = ["the red circle moves", "the blue square grows", "the green star blinks"]
PROMPT = "Select the best answer.\n{question}\nA. {0}\nB. {1}\nC. {2}\nAnswer with the letter."
THERE = find_spec("lmms_eval") is not None


class Hook:
    def __init__(self):
        self.seen = []

    def add_partial(self, *args):
        self.seen.append(args)


class Base:
    """What of lmms-eval's base class the model leans on."""

    def __init__(self):
        self.rank, self.task_dict, self.cache_hook = 0, {}, None


@pytest.fixture(scope="module")
def TevoChat():
    name = "tevo.integrations.lmms_eval.model"
    if THERE:
        yield import_module(name).TevoChat
        return
    stand_in = ModuleType("lmms_eval.api.model")
    stand_in.lmms = Base
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "lmms_eval", ModuleType("lmms_eval"))
        patch.setitem(sys.modules, "lmms_eval.api", ModuleType("lmms_eval.api"))
        patch.setitem(sys.modules, "lmms_eval.api.model", stand_in)
        patch.delitem(sys.modules, name, raising=False)
        yield import_module(name).TevoChat
    sys.modules.pop(name)


@pytest.fixture
def model(TevoChat, solver_folder, tmp_path):
    made = TevoChat(str(solver_folder), batch_size="1", device="cpu", cache_dir=str(tmp_path))
    made.cache_hook = Hook()
    return made


def request(model, number, row, until=("\n\n",)):
    """A request with six arguments, whose row lies in the model's table of tasks."""
    model.task_dict.setdefault("toy", {}).setdefault("test", {})[number] = row
    arguments = ("context", messages, {"until": list(until), "max_new_tokens": 1}, number, "toy", "test")
    return SimpleNamespace(args=arguments, task_name="toy")


def messages(row):
    video = {"type": "video", "url": row["video"]}
    return [{"role": "user", "content": [video, {"type": "text", "text": PROMPT.format(*row["candidates"], **row)}]}]


def row(question="What happens first?", video=CLIP, options=OPTIONS):
    return {"video": str(video), "question": question, "candidates": options}


def test_replies_are_bare_letters_in_the_requests_order(model, solver_folder, tmp_path):
    rows = [row(), row("What happens last?", options=OPTIONS[::-1]), row("What happens last?"), row()]
    replies = model.generate_until([request(model, number, made) for number, made in enumerate(rows)])
    answerer = tevo.load(solver_folder, cache_dir=tmp_path)
    for made, reply in zip(rows, replies, strict=True):
        answer = answerer.answer(CLIP, made["question"], made["candidates"]).answer
        assert reply == "ABC"[made["candidates"].index(answer)]
    assert [(name, text) for name, _, text in model.cache_hook.seen] == [("generate_until", text) for text in replies]


def test_the_generation_arguments_say_nothing_to_it(model):
    plain = model.generate_until([request(model, 0, row())])
    assert plain == model.generate_until([request(model, 0, row(), until=["A", "B", "C"])])


def test_a_video_that_cannot_be_read_is_named_and_left_unanswered(model, caplog):
    replies = model.generate_until([request(model, 0, row()), request(model, 7, row(video=BROKEN))])
    assert replies[0] in ("A", "B", "C") and replies[1] == ""
    assert f"toy row 7 is not answered: {BROKEN}: not a video" in caplog.text


def test_a_video_that_is_not_there_stops_the_run(model):
    with pytest.raises(TevoError, match=r"toy row 3: there is no video file at nowhere\.mp4"):
        model.generate_until([request(model, 0, row()), request(model, 3, row(video="nowhere.mp4"))])


def test_no_requests_no_replies(model):
    assert model.generate_until([]) == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({}, "pretrained=FOLDER"),
        ({"pretrained": "x", "fps": 2, "max_frames": 32}, "fps, max_frames, which tevo does not know"),
        ({"pretrained": "nowhere"}, "'nowhere' is no folder and no backbone"),
        ({"pretrained": "x", "answering": "at_once"}, "coarse_to_fine"),
    ],
)
def test_arguments_that_cannot_be_used(TevoChat, arguments, reason):
    with pytest.raises(TevoError, match=reason):
        TevoChat(**arguments, batch_size="1", max_batch_size=None, device=None)


@pytest.mark.parametrize("kind", ["loglikelihood", "generate_until_multi_round"])
def test_tasks_of_another_kind_are_refused_by_name(model, kind):
    with pytest.raises(TevoError, match="the tasks mmlu, toy"):
        getattr(model, kind)([SimpleNamespace(task_name="toy"), SimpleNamespace(task_name="mmlu")])


def test_it_is_a_chat_model_under_the_name_tevo(TevoChat, monkeypatch):
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["lmms_eval.models"] == {"tevo": f"{manifest.__module__}:{manifest.__name__}"}
    if not THERE:
        registry = ModuleType("lmms_eval.models.registry_v2")
        registry.ModelManifest = SimpleNamespace
        monkeypatch.setitem(sys.modules, "lmms_eval", ModuleType("lmms_eval"))
        monkeypatch.setitem(sys.modules, "lmms_eval.models", ModuleType("lmms_eval.models"))
        monkeypatch.setitem(sys.modules, "lmms_eval.models.registry_v2", registry)
    made = manifest()
    assert made.model_id == "tevo" and made.chat_class_path == f"{TevoChat.__module__}.{TevoChat.__name__}"
    assert TevoChat.is_simple is False
