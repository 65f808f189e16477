"""One row of ``grpo_step.py``: GRPO steps of tevo or of TRL on one tiny Qwen-VL, in a process of its own."""

import hashlib
import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tevo.backbones import build_backbone
from tevo.backbones.language import Completions, Prompt, Sampling, Watched
from tevo.backbones.qwen_vl import QwenVL
from tevo.backbones.qwen_vl.tiny import QWEN2_5_VL_TINY, QWEN3_VL_TINY, TOKENIZER
from tevo.objectives.policy import grpo_loss
from tevo.ops import group_normalise

SIDE_PX = 224
TEXT = "Which of these happens first in the video, and when? A) a dog runs B) a door opens"
SMALL = {"hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 6, "num_attention_heads": 8}
TOWER = {"hidden_size": 256, "intermediate_size": 704, "depth": 6, "num_heads": 8, "out_hidden_size": 256}


def configuration(family: str) -> dict[str, Any]:
    """Six layers of 256 on both sides, patches as published."""
    tiny = {"qwen2_5_vl": QWEN2_5_VL_TINY, "qwen3_vl": QWEN3_VL_TINY}[family]
    vision = TOWER | (
        {"window_size": 112, "fullatt_block_indexes": [5], "patch_size": 14} if "2_5" in family else {"patch_size": 16}
    )
    return tiny | {"text_config": tiny["text_config"] | SMALL, "vision_config": tiny["vision_config"] | vision}


def build(family: str, trainable: str = "all", train_vision: bool = False) -> QwenVL:
    """The model; the same weights in every row of a family."""
    torch.manual_seed(0)
    model = QwenVL(configuration(family), str(TOKENIZER), trainable=trainable, train_vision=train_vision)
    model._never[model.chat.end_id] = True  # every completion is as long as asked, here and in TRL
    return model


def weights_hash(model: torch.nn.Module) -> str:
    """Of all its weights, to show that rows began with the same."""
    digest = hashlib.sha256()
    for _, tensor in sorted(model.state_dict().items()):
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()[:12]


def make_frames(number: int) -> Tensor:
    """Frames of coarse coloured patches, uint8 [time, 3, 224, 224]."""
    patches = torch.randint(0, 256, (number, 3, 8, 8), generator=torch.Generator().manual_seed(0)).float()
    return torch.nn.functional.interpolate(patches, (SIDE_PX, SIDE_PX)).to(torch.uint8)


def resident_bytes(field: str) -> int:
    """A line of /proc/self/status, in bytes."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field))


class Meter:
    """Process time of every step but the first, and how far the resident set grew above what it was before them."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.before = 0
        self._began = 0.0

    def begin(self) -> None:
        if not self.before:
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")  # forget the peak so far
            self.before = resident_bytes("VmRSS")
        self._began = time.process_time()

    def end(self) -> None:
        self.seconds.append(time.process_time() - self._began)

    def result(self) -> dict[str, float]:
        steady = sorted(self.seconds[1:])
        return {
            "seconds": steady[len(steady) // 2],
            "all_seconds": [round(s, 3) for s in self.seconds],  # type: ignore[dict-item]
            "growth_mb": (resident_bytes("VmHWM") - self.before) / 1e6,
        }


def tevo_row(spec: dict[str, Any]) -> dict[str, Any]:
    """Steps of tevo: watch (or not), sample, score, back, step."""
    model = build(spec["family"], train_vision=spec.get("train_vision", False))
    digest = weights_hash(model.model)
    role = model.add_role("solver")
    with model.acting("solver"):
        optimizer = torch.optim.AdamW(role.parameters(), lr=1e-4)
        frames, times_s = make_frames(spec["frames"]), torch.arange(spec["frames"]) / 2
        generator, meter = torch.Generator().manual_seed(0), Meter()
        watched = model.watch(frames, times_s, 10**6)
        shares: dict[str, float] = {}
        units: list[float] = []
        for _ in range(spec["steps"]):
            meter.begin()
            timed = _Stages(shares)
            if not spec.get("cached"):
                watched = model.watch(frames, times_s, 10**6)
            timed("encode")
            prompt = [Prompt(TEXT, watched)]
            drawn = model.sample(prompt, spec["group"], Sampling(spec["tokens"]), generator)
            timed("generate")
            loss = grpo_loss_of(model, prompt, drawn)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            timed("update")
            meter.end()
            if spec.get("floor"):
                units.append(floor_unit(model, len(model.chat.lay_out(prompt[0]).ids), spec["group"], spec["tokens"]))
    total = sum(shares.values())
    facts = {
        "hash": digest,
        "prompt_tokens": len(model.chat.lay_out(prompt[0]).ids),
        "video_tokens": watched.num_tokens,
    }
    if units:
        facts["unit_seconds"] = sorted(units[1:])[len(units[1:]) // 2]
    return meter.result() | facts | {"shares": {name: round(part / total, 3) for name, part in shares.items()}}


class _Stages:
    """Adds the process time since the last call to a stage."""

    def __init__(self, shares: dict[str, float]) -> None:
        self.shares, self.at = shares, time.process_time()

    def __call__(self, stage: str) -> None:
        now = time.process_time()
        self.shares[stage] = self.shares.get(stage, 0.0) + now - self.at
        self.at = now


def grpo_loss_of(model: QwenVL, prompts: list[Prompt], drawn: Completions) -> Tensor:
    """GRPO with beta 0 on made-up rewards."""
    rewards = torch.rand(drawn.mask.shape[:2], generator=torch.Generator().manual_seed(1))
    advantage = group_normalise(rewards, dim=1)[..., None].expand(drawn.mask.shape)
    scores = model.log_probs(prompts, drawn).log_probs
    return grpo_loss(scores, None, None, advantage, drawn.mask, beta=0.0).loss


def floor_unit(model: QwenVL, prompt_tokens: int, group: int, tokens: int) -> float:
    """Process time of the floor's unit: one batched forward pass, no gradients, of as many tokens as the group has."""
    language = model.model.model.language_model  # the base's: the role that is trained has a copy
    language.set_attn_implementation("sdpa")
    total = prompt_tokens + group * tokens
    rows = max(1, total // prompt_tokens)  # about as long as what attention looks at in the step
    ids = torch.randint(8, 500, (rows, total // rows), generator=torch.Generator().manual_seed(0))
    began = time.process_time()
    with torch.no_grad():
        hidden = language(input_ids=ids, use_cache=False).last_hidden_state
        model.model.lm_head(hidden.flatten(0, 1)[: group * tokens])
    return time.process_time() - began


def equality_row(spec: dict[str, Any]) -> dict[str, Any]:
    """The same completions in one packed row and in rows of their own through plain transformers: both must agree."""
    if spec.get("trained"):
        model = build_backbone(spec["trained"], trainable="all", train_vision=True)
    else:
        model = build(spec["family"], train_vision=True)
    model.model.requires_grad_(True)
    watched = model.watch(make_frames(spec["frames"]), torch.arange(spec["frames"]) / 2, spec.get("max_tokens", 10**6))
    prompt = [Prompt(TEXT, watched)]
    drawn = model.sample(prompt, spec["group"], Sampling(spec["tokens"]), torch.Generator().manual_seed(0))
    weights = torch.rand(drawn.mask.shape, generator=torch.Generator().manual_seed(2)) - 0.5
    names, parameters = zip(*model.model.named_parameters(), strict=True)
    ours = model.log_probs(prompt, drawn).log_probs
    our_grads = torch.autograd.grad((ours * weights).sum(), parameters)
    theirs = separate_rows(model, prompt[0], watched, drawn)
    their_grads = torch.autograd.grad((theirs * weights[0]).sum(), parameters)
    gap = max(float((a - b).norm() / b.norm().clamp(min=1e-12)) for a, b in zip(our_grads, their_grads, strict=True))
    return {"max_dlogp": float((ours[0] - theirs).detach().abs().max()), "rel_dgrad": gap, "parameters": len(names)}


def separate_rows(model: QwenVL, prompt: Prompt, watched: Watched, drawn: Completions) -> Tensor:
    """Log-probs [group token] by transformers' own forward pass, one row a completion, pixels and all."""
    model.model.model.language_model.set_attn_implementation("sdpa")
    prefix = model.chat.lay_out(prompt)
    grid = [side * model.patches.merge for side in watched.grid]
    rows = []
    for told in drawn.tokens[0]:
        ids = torch.cat([prefix.ids, told])
        following = prefix.next_position + torch.arange(len(told))
        made = model.model(
            input_ids=ids[None],
            position_ids=torch.cat([prefix.positions, following.expand(3, -1)], 1)[:, None],
            mm_token_type_ids=prefix.is_video.new_zeros(1, len(ids)).int() + (ids == model.chat.video_id).int() * 2,
            pixel_values_videos=watched.patches.flatten(0, 1),
            video_grid_thw=torch.tensor([[watched.num_steps, *grid]]),
        ).logits[0, len(prefix.ids) - 1 : -1]
        rows.append(made.masked_fill(model._never, -torch.inf).log_softmax(-1).gather(1, told[:, None])[:, 0])
    model.model.model.language_model.set_attn_implementation("tevo_group")
    return torch.stack(rows)


def trl_row(spec: dict[str, Any]) -> dict[str, Any]:
    """Steps of TRL's GRPOTrainer with frames as images, its only route that shows the model the pixels."""
    import tempfile

    import trl
    from datasets import Dataset
    from PIL import Image
    from transformers import TrainerCallback

    model = build(spec["family"])
    digest, never = weights_hash(model.model), model._never.nonzero()[:, 0].tolist()
    model.model.model.language_model.set_attn_implementation("sdpa")
    plain, processor = model.model, model.processor
    plain.requires_grad_(True)
    plain.model.visual.requires_grad_(False)
    frames = make_frames(spec["frames"]).permute(0, 2, 3, 1).numpy().astype(np.uint8)
    images = [Image.fromarray(frame) for frame in frames]
    content = [*({"type": "image"} for _ in images), {"type": "text", "text": TEXT}]
    data = Dataset.from_list([{"prompt": [{"role": "user", "content": content}], "images": images}] * 8)
    meter, rng = Meter(), random.Random(0)

    class Clock(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            meter.begin()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            meter.end()

    with tempfile.TemporaryDirectory() as folder:
        config = trl.GRPOConfig(
            output_dir=folder, per_device_train_batch_size=spec["group"], num_generations=spec["group"],
            max_completion_length=spec["tokens"], learning_rate=1e-4, beta=0.0, temperature=1.0, top_k=0,
            max_steps=spec["steps"], report_to=[], logging_strategy="no", save_strategy="no", use_cpu=True, bf16=False,
            gradient_checkpointing=False, dataloader_pin_memory=False, disable_tqdm=True, max_grad_norm=0.0,
            generation_kwargs={"min_new_tokens": spec["tokens"], "suppress_tokens": never},
        )  # fmt: skip
        trainer = trl.GRPOTrainer(
            plain, reward_funcs=[lambda completions, **_: [rng.random() for _ in completions]], args=config,
            train_dataset=data, processing_class=processor, callbacks=[Clock()],
        )  # fmt: skip
        trainer.train()
    return meter.result() | {"hash": digest, "trl": trl.__version__}


ROWS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "tevo": tevo_row,
    "trl": trl_row,
    "equality": equality_row,
}
