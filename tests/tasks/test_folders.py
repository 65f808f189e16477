"""A role goes to disk and comes back the same, on the backbone it was trained on and on no other."""

import dataclasses
import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from tevo.backbones import build_backbone
from tevo.data.datasets import VideoBatch
from tevo.data.views import ViewPlan
from tevo.errors import TevoError
from tevo.heads.asker import CueWeights
from tevo.heads.evidence import HeadConfig
from tevo.objectives.rewards import SolverWeights
from tevo.structures import Question, VideoTokens
from tevo.tasks.asked import QuestionerConfig
from tevo.tasks.folders import Release, load_questioner, load_solver, save_questioner, save_solver
from tevo.tasks.questioner import Questioner
from tevo.tasks.solver import Solver, SolverConfig

PLAN = ViewPlan(1.5, 64, 3, 7, torch.float32)
PHRASES = ("a door opens", "a pan falls", "a dog barks", "a light goes out")
QUESTIONS = [
    Question("0", "a", "When does this happen: a door opens?", "when"),
    Question("1", "a", "What happens first?", "first", PHRASES),
    Question("2", "b", "How often does this happen: a dog barks?", "count", ("once", "twice")),
]
SOLVER = SolverConfig(group=3, rewards=SolverWeights(zeta=0.0), head=HeadConfig(hidden=16))
TINY = ("clip_tiny", "videomae_tiny", "internvid_tiny")


def videos_for(backbone, seed=0):
    generator = torch.Generator().manual_seed(seed)
    starts = torch.arange(24.0).expand(2, -1) / 2
    spans, mask = torch.stack([starts, starts + 0.5], -1), torch.ones(2, 24, dtype=torch.bool)
    tokens = VideoTokens(torch.randn(2, 24, backbone.spec.dim, generator=generator), spans, mask)
    return VideoBatch(["a", "b"], tokens, tokens, tokens, torch.zeros(2), torch.full((2,), 12.0))


def shaken(module):
    """As if trained: no weight is where it began."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in module.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=generator)
    return module


def solver_on(backbone, config=SOLVER):
    solver = Solver(backbone.spec.dim, backbone.encode_text(["a"]).shape[-1], backbone, config)
    shaken(solver.policy)
    return solver.eval()


def release_of(backbone, **changes):
    return dataclasses.replace(Release(backbone, {}, PLAN, PHRASES, {"round": 3}), **changes)


def fitted(backbone):
    """Phase 0 done; the entries it wrote."""
    generator = torch.Generator().manual_seed(2)
    values = torch.randn(40, backbone.spec.dim, generator=generator)
    backbone.fit_projection(values, torch.randn(40, 128, generator=generator), torch.arange(40) // 20)
    return {name: backbone.state_dict()[name] for name in ("center", "weight", "bias")}


def predictions(solver, videos):
    best = solver.predict_questions(videos, solver.queries(QUESTIONS, torch.tensor([0, 0, 1])))
    return [getattr(best, part.name) for part in dataclasses.fields(best)]


@pytest.fixture
def saved(tmp_path, colours):
    folder = tmp_path / "round-3" / "solver"
    save_solver(folder, solver_on(colours()), release_of(colours()))
    return folder


# --- there and back ---


@pytest.mark.parametrize("name", TINY)
def test_a_loaded_solver_predicts_the_same_to_the_bit(name, stand_in_weights, tmp_path):
    backbone = build_backbone(name)
    alignment = fitted(backbone) if name == "videomae_tiny" else {}
    solver, videos = solver_on(backbone), videos_for(backbone)
    save_solver(tmp_path / "solver", solver, release_of(backbone, alignment=alignment))

    loaded, release = load_solver(tmp_path / "solver")

    assert release.backbone is not backbone
    assert not loaded.training and not release.backbone.training
    for before, after in zip(predictions(solver, videos), predictions(loaded, videos), strict=True):
        assert torch.equal(before, after)
    fresh = Solver(backbone.spec.dim, 128, backbone, SOLVER).eval()
    assert not torch.equal(predictions(fresh, videos)[3], predictions(loaded, videos)[3])  # the test can tell


def test_settings_come_back(tmp_path, colours):
    backbone = colours()
    card = {"round": 3, "metrics": {"test/mIoU": 41.25}, "histogram": [1, 2], "missing": float("nan")}
    save_solver(tmp_path / "solver", solver_on(backbone), release_of(backbone, card=card))
    solver, release = load_solver(tmp_path / "solver", backbone)
    assert solver.config == SOLVER
    assert (release.plan, release.phrases) == (PLAN, PHRASES)
    assert release.card == {**card, "missing": None}
    assert release.backbone is backbone


def test_a_loaded_questioner_asks_the_same_without_the_file_of_phrases(stand_in_weights, tmp_path):
    bank = tmp_path / "mine.txt"
    bank.write_text("# my events\n" + "\n".join(PHRASES) + "\n")
    backbone = build_backbone("clip_tiny")
    config = QuestionerConfig(phrases=str(bank), per_video=3, cues=CueWeights(temporal=0.0))
    questioner = Questioner(128, backbone, config, seed=5).eval()
    shaken(questioner.asker)
    save_questioner(tmp_path / "questioner", questioner, release_of(backbone))
    bank.unlink()

    loaded, _ = load_questioner(tmp_path / "questioner")

    assert loaded.phrases == PHRASES
    assert dataclasses.replace(loaded.config, phrases=str(bank)) == config
    videos = videos_for(backbone, seed=3)
    asked = [
        role.ask(videos, role.segments(videos), ("when", "first", "what"), 4, torch.Generator().manual_seed(0), "1")
        for role in (questioner, loaded)
    ]
    assert asked[0].flat()[0] == asked[1].flat()[0] != []
    assert torch.equal(asked[0].choices.log_probs, asked[1].choices.log_probs)


def test_the_weights_are_those_that_were_trained_and_no_others(stand_in_weights, tmp_path):
    backbone = build_backbone("videomae_tiny")
    solver = solver_on(backbone)
    save_solver(tmp_path / "solver", solver, release_of(backbone, alignment=fitted(backbone)))
    tensors = load_file(tmp_path / "solver" / "model.safetensors")
    own = {f"policy.{name}" for name in solver.policy.state_dict()}
    assert set(tensors) == own | {"backbone.center", "backbone.weight", "backbone.bias"}


def test_a_role_that_was_loaded_can_be_saved_again(saved, tmp_path, colours):
    solver, release = load_solver(saved, colours())
    save_solver(tmp_path / "again", solver, release)
    for name in ("model.safetensors", "config.json", "phrases.txt", "README.md"):
        assert (tmp_path / "again" / name).read_bytes() == (saved / name).read_bytes()


def test_a_backbone_of_ones_own_is_given(saved, colours):
    with pytest.raises(TevoError, match="which has no registered name"):
        load_solver(saved)
    with pytest.raises(TevoError, match="architecture, weights or preprocessing"):
        load_solver(saved, colours(fingerprint="others"))
    backbone = colours()
    assert load_solver(saved, backbone)[1].backbone is backbone


# --- folders that are not what they should be ---


def change(folder, edit):
    config = json.loads((folder / "config.json").read_text())
    edit(config)
    (folder / "config.json").write_text(json.dumps(config))


def without(name):
    return lambda config: config.pop(name)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda config: config.update(format=2, tevo="9.1"), r"written by tevo 9\.1 in format 2; .* reads format 1"),
        (lambda config: config.update(role="questioner"), r"holds a questioner, wanted is a solver: give .*solver"),
        (without("role"), "was not written by tevo"),
        (without("views"), r"config\.json is damaged .*views"),
        (lambda config: config["views"].update(dtype="load"), r"config\.json is damaged .*'load' is no type"),
        (lambda config: config["views"].update(fps_max=1), r"config\.json is damaged .*fps_max"),
        (lambda config: config["config"].update(speed=1), r"SolverConfig has no speed"),
        (lambda config: config["config"]["head"].update(wide=1), r"HeadConfig has no wide"),
        (lambda config: config["config"].update(head=3), r"HeadConfig is 3"),
        (
            lambda config: config["config"]["head"].update(hidden=32),
            r"tensors do not fit; \S+ is \[.*16\], wanted is \[.*32\]",
        ),
    ],
)
def test_a_config_that_does_not_fit(saved, edit, said, colours):
    change(saved, edit)
    with pytest.raises(TevoError, match=said):
        load_solver(saved, colours())


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"architectures": ["BertModel"]}', "\x00\xff"])
def test_a_config_that_is_not_tevos(saved, text, colours):
    (saved / "config.json").write_text(text)
    with pytest.raises(TevoError, match=r"config\.json"):
        load_solver(saved, colours())


def test_older_settings_take_their_defaults(saved, colours):
    change(saved, lambda config: config["config"].pop("group"))
    assert load_solver(saved, colours())[0].config == dataclasses.replace(SOLVER, group=SolverConfig().group)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "phrases.txt"])
def test_a_missing_file_is_named(saved, name, colours):
    (saved / name).unlink()
    with pytest.raises(TevoError, match=f"no {name} in it"):
        load_solver(saved, colours())


def test_a_missing_folder_and_one_too_high(saved, colours):
    with pytest.raises(TevoError, match=r"no such folder\. Give the hf/round-N/solver folder of a run$"):
        load_solver(saved / "nowhere")
    with pytest.raises(TevoError, match=r"no config\.json .*; there is .*round-3/solver$"):
        load_solver(saved.parents[1])


@pytest.mark.parametrize("keep", [0, 7, 100, -50])
def test_weights_cut_short(saved, keep, colours):
    data = (saved / "model.safetensors").read_bytes()
    (saved / "model.safetensors").write_bytes(data[:keep])
    with pytest.raises(TevoError, match=r"model\.safetensors is damaged"):
        load_solver(saved, colours())


def test_weights_of_something_else(saved, colours):
    file = saved / "model.safetensors"
    tensors = load_file(file)
    missing = dict(list(tensors.items())[1:])
    foreign = {"bert.encoder.weight": torch.zeros(2)}
    unaligned = {**tensors, "backbone.nothing": torch.zeros(2)}
    for changed, said in (
        (missing, r"1 tensors do not fit; .* is absent, wanted is \["),
        (foreign, "not tevo's: it holds 'bert"),
        (unaligned, r"nothing is \[2\], wanted is absent"),
    ):
        save_file(changed, file)
        with pytest.raises(TevoError, match=said):
            load_solver(saved, colours())
