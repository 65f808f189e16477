"""Qwen2.5-VL and Qwen3-VL through transformers: prompts in, groups of completions out.

Source: Qwen2.5-VL (arXiv 2502.13923) and Qwen3-VL (arXiv 2511.21631), code and weights under Apache-2.0 at
https://huggingface.co/Qwen. Changed: a group's prompt is computed once for all of its completions, in sampling and in
the update, which is exact (:mod:`tevo.backbones.qwen_vl.attention`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tevo.backbones.base import Backbone, BackboneSpec
from tevo.backbones.fingerprint import module_fingerprint
from tevo.backbones.language import (
    Best,
    Completions,
    LanguageModel,
    Prompt,
    Sampling,
    TokenScores,
    Watched,
    batches_of,
    join_completions,
)
from tevo.backbones.qwen_vl.budget import fit_budget, spread, to_patches
from tevo.backbones.qwen_vl.building import build_parts, check_tokenizer, recompute_activations
from tevo.backbones.qwen_vl.chat import Chat, Prefix
from tevo.backbones.qwen_vl.packing import Packed, by_video, pack, to_device
from tevo.backbones.qwen_vl.roles import Roles
from tevo.backbones.qwen_vl.rollout import completions_of, decode_groups
from tevo.backbones.qwen_vl.scoring import token_scores
from tevo.backbones.qwen_vl.seeing import embed, encode_steps, rows_of
from tevo.backbones.spans import frame_spans, tubelet_spans
from tevo.structures import VideoTokens


class QwenVL(Backbone, LanguageModel):
    """A Qwen-VL as a backbone and as the policy of both roles.

    Args:
        model: hub id or local folder, which bring their weights; or the model's configuration, for random ones.
        tokenizer: hub id or folder; None takes the model's own.
        name: what the spec calls it; the model's own name when empty.
        trainable: "lora" | "lora_all" | "all", see :class:`~tevo.backbones.qwen_vl.roles.Roles`.
        train_vision: train the vision tower too; what it makes of a video is then not kept but made in every update.
        lora_rank: of the adapters.
        lora_alpha: of the adapters.
        dtype: of the base's weights: "float32" | "bfloat16" | "float16".
        fps: default sampling rate, frames a second.
        image_size_px: side at which ``encode_video`` reads square frames.
        max_tokens_at_once: tokens in one forward pass; what is more goes in several.
        checkpointing: recompute activations in the backward pass (memory for a third more time).
        min_cells: a frame does not shrink below so many tokens while frames can be left out.

    Raises:
        TevoError: when the model is unknown, cannot be fetched or is of another family.
    """

    _never: Tensor  # [vocabulary], True where a token is never drawn

    def __init__(
        self,
        model: str | dict[str, Any],
        tokenizer: str | None = None,
        *,
        name: str = "",
        trainable: str = "lora",
        train_vision: bool = False,
        lora_rank: int = 16,  # assumed
        lora_alpha: int = 32,  # assumed
        dtype: str = "float32",
        fps: float = 2.0,
        image_size_px: int = 224,
        max_tokens_at_once: int = 32768,
        checkpointing: bool = False,
        min_cells: int = 16,  # assumed
    ) -> None:
        super().__init__()
        parts = build_parts(model, tokenizer, dtype)
        self.model, self.processor, self.patches = parts.model, parts.processor, parts.patches
        self.chat = Chat(parts.tokenizer, parts.tokens_per_second)
        check_tokenizer(self.model.config, parts.tokenizer, self.chat.video_id)
        self.roles = Roles(self.model, trainable, train_vision, lora_rank, lora_alpha)
        self.fps, self.image_size_px, self.max_tokens_at_once = fps, image_size_px, max_tokens_at_once
        self.min_cells, self.checkpointing = min_cells, checkpointing
        self._name = name or (model if isinstance(model, str) else model["model_type"])
        never = self.chat.never(int(self.model.config.text_config.vocab_size))
        self.register_buffer("_never", never, persistent=False)
        if checkpointing:
            recompute_activations(self.model)
        self.model.model.visual.register_load_state_dict_post_hook(self._weights_changed)
        self.eval()
        self._weights_changed()

    def _weights_changed(self, *_: object) -> None:
        """Renew the spec's fingerprint, which hangs on the vision tower alone."""
        config, visual = self.model.config, self.model.model.visual
        self.spec = BackboneSpec(
            name=self._name,
            dim=int(config.text_config.hidden_size),
            image_size_px=self.image_size_px,
            frames_per_clip=self.patches.frames,
            fps=self.fps,
            fingerprint=module_fingerprint(
                visual, type(self).__qualname__, config.vision_config.to_dict(), self.patches
            ),
        )

    @property
    def device(self) -> torch.device:
        """Where the base lies."""
        return self._never.device

    # --- seeing ---

    def watch(
        self,
        frames: UInt8[Tensor, "time 3 height width"],
        times_s: Float[Tensor, "time"],
        max_tokens: int,
        origin_s: float | None = None,
    ) -> Watched:
        """See :meth:`LanguageModel.watch`; resolution shrinks first, then frames, evenly over the video."""
        size = frames.shape[-2], frames.shape[-1]
        steps, rows, columns = fit_budget(len(frames), *size, self.patches, max_tokens, self.min_cells)
        chosen = spread(len(frames), steps * self.patches.frames)
        return self._watch(frames[chosen], times_s[chosen].cpu(), (rows, columns), origin_s)

    def _watch(self, frames: Tensor, times_s: Tensor, grid: tuple[int, int], origin_s: float | None) -> Watched:
        patches = to_patches(frames, self.patches, *grid).to(self.device)
        merged = times_s.view(-1, self.patches.frames)
        spans = tubelet_spans(frame_spans(times_s[None], 1.0 / self.fps), self.patches.frames)[0]
        trained = self.roles.train_vision
        return Watched(
            values=None if trained else self._encode(self.model, patches, grid),
            patches=patches if trained else None,
            grid=grid,
            times_s=merged[:, [0, -1]],
            spans=spans,
            origin_s=float(times_s[0]) if origin_s is None else origin_s,
        )

    def _encode(self, model: Any, patches: Tensor, grid: tuple[int, int]) -> Float[Tensor, "layer step cell dim"]:  # noqa: ANN401
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.roles.train_vision):
            return encode_steps(model.model, patches, grid, self.patches.merge, self.max_tokens_at_once)

    def encode_video(
        self, frames: UInt8[Tensor, "batch time 3 height width"], times_s: Float[Tensor, "batch time"]
    ) -> VideoTokens:
        """One token a cell of every step of square frames, as the language model would read them."""
        batch, time = times_s.shape
        whole = spread(time, -(-time // self.patches.frames) * self.patches.frames)
        side = max(1, self.image_size_px // self.patches.cell_px)
        videos = [self._watch(frames[i, whole], times_s[i, whole].cpu(), (side, side), None) for i in range(batch)]
        rows = [v.values if v.values is not None else self._encode(self.model, v.patches, v.grid) for v in videos]  # type: ignore[arg-type]
        values = torch.stack([row[0].flatten(0, 1).float() for row in rows])
        spans = torch.stack([v.spans.repeat_interleave(side * side, dim=0) for v in videos]).to(values)
        return VideoTokens(values, spans, torch.ones_like(spans[..., 0], dtype=torch.bool))

    # --- reading and writing ---

    def _read(self, packed: Packed) -> Float[Tensor, "token dim"]:
        """Hidden states of a packed row. Refuses to run where video tokens and what was seen do not match."""
        model = self.roles.model
        language = model.model.language_model
        was_training = language.training
        seen = rows_of(packed.videos, partial(self._encode, model), self.device)
        embeds, deeper = embed(language, packed.ids, packed.video_at, seen)
        language.train(self.checkpointing and torch.is_grad_enabled())  # layers are recomputed in train mode alone
        hidden: Tensor = language(
            inputs_embeds=embeds[None],
            position_ids=packed.positions[:, None],
            use_cache=False,
            layout=packed.layout,
            **deeper,
        ).last_hidden_state[0]
        language.train(was_training)
        return hidden

    @torch.no_grad()
    def sample(
        self, prompts: Sequence[Prompt], num_samples: int, sampling: Sampling, generator: torch.Generator
    ) -> Completions:
        """See :meth:`LanguageModel.sample`. Vision tokens are never drawn."""
        prefixes = [self.chat.lay_out(prompt) for prompt in prompts]
        cost = [len(p.ids) + num_samples * sampling.max_new_tokens for p in prefixes]
        parts: dict[int, Completions] = {}
        for batch in batches_of(cost, self.max_tokens_at_once):
            chosen = [prefixes[i] for i in batch]
            packed = to_device(pack(chosen, None, kept=True), self.device)
            made = self._write(packed, self._read(packed), num_samples, sampling, generator)
            parts |= {index: made.take([row]) for row, index in enumerate(batch)}
        return join_completions([parts[i] for i in range(len(prompts))])

    @torch.no_grad()
    def best(
        self, prompts: Sequence[Prompt], choices: Sequence[Sequence[str]], max_new_tokens: int, stop: tuple[str, ...]
    ) -> Best:
        """See :meth:`LanguageModel.best`. The choices lie beside each prompt, and the reply goes on from its keys."""
        prefixes, given = [self.chat.lay_out(prompt) for prompt in prompts], self.encode_reply(choices)
        cost = [len(p.ids) + max_new_tokens + int(row.sum()) for p, row in zip(prefixes, given.mask, strict=True)]
        scores = torch.zeros(given.mask.shape, device=self.device)
        parts: dict[int, Completions] = {}
        for batch in batches_of(cost, self.max_tokens_at_once, by_video(prefixes)):
            chosen = [prefixes[i] for i in batch]
            packed = to_device(pack(chosen, given.take(batch), kept=True, shared=True), self.device)
            hidden = self._read(packed)
            where, told, _ = self._scores(packed, hidden, batch, 1.0)
            scores[where] = told
            made = self._write(packed, hidden, 1, Sampling(max_new_tokens, 1.0, stop), None)
            parts |= {index: made.take([row]) for row, index in enumerate(batch)}
        chances = scores.sum(-1).masked_fill(~given.mask.any(-1), -torch.inf)
        return Best(join_completions([parts[i] for i in range(len(prompts))]), chances)

    def _write(
        self, packed: Packed, hidden: Tensor, num_samples: int, sampling: Sampling, generator: torch.Generator | None
    ) -> Completions:
        return decode_groups(self.roles.model, packed, hidden, num_samples, sampling, self.chat, self._never, generator)

    def log_probs(self, prompts: Sequence[Prompt], completions: Completions, temperature: float = 1.0) -> TokenScores:
        """See :meth:`LanguageModel.log_probs`: prompts once, completions beside them in one packed row."""
        return self.score([self.chat.lay_out(prompt) for prompt in prompts], completions, temperature)

    def score(self, prefixes: Sequence[Prefix], completions: Completions, temperature: float) -> TokenScores:
        """As :meth:`log_probs`, for prompts that are laid out already: several may share what they begin with."""
        cost = [len(p.ids) + int(row.sum()) for p, row in zip(prefixes, completions.mask, strict=True)]
        log_probs, entropy = torch.zeros(2, *completions.mask.shape, device=self.device)
        for batch in batches_of(cost, self.max_tokens_at_once):
            chosen = [prefixes[i] for i in batch]
            packed = to_device(pack(chosen, completions.take(batch)), self.device)
            where, told, open_ = self._scores(packed, self._read(packed), batch, temperature)
            log_probs = log_probs.index_put(where, told)
            entropy = entropy.index_put(where, open_)
        return TokenScores(log_probs, entropy)

    def _scores(
        self, packed: Packed, hidden: Tensor, batch: Sequence[int], temperature: float
    ) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        """Log-probability and entropy of the completions' tokens in a packed row, and where they belong."""
        head = self.roles.model.lm_head
        told, open_ = token_scores(hidden[packed.read_at], packed.targets, head, self._never, temperature)
        prompt, member, token = packed.scored
        return (torch.tensor(batch, device=self.device)[prompt], member, token), told.float(), open_.float()

    @torch.no_grad()
    def choose(self, prompts: Sequence[Prompt], choices: Sequence[Sequence[str]]) -> Float[Tensor, "prompt choice"]:
        """See :meth:`LanguageModel.choose`. What a prompt's reply begins with is scored with the choice.

        Otherwise a choice could be cut into other tokens than the ones the model writes.
        """
        replies = [
            [prompt.reply + choice for choice in offered] for prompt, offered in zip(prompts, choices, strict=True)
        ]
        given = self.encode_reply(replies)
        prefixes = [self.chat.lay_out(Prompt(prompt.text, prompt.video)) for prompt in prompts]
        scores = self.score(prefixes, given, 1.0).log_probs.sum(-1)
        return scores.masked_fill(~given.mask.any(-1), -torch.inf)

    def encode_reply(self, texts: Sequence[Sequence[str]]) -> Completions:
        """See :meth:`LanguageModel.encode_reply`."""
        return completions_of(texts, self.chat, self.device)

    # --- roles ---

    def add_role(self, name: str) -> nn.Module:
        """See :meth:`LanguageModel.add_role`."""
        return self.roles.add(name)

    @contextmanager
    def acting(self, role: str | None) -> Iterator[None]:
        """See :meth:`LanguageModel.acting`."""
        with self.roles.act(role):
            yield

    def role_facts(self) -> dict[str, str]:
        """See :meth:`LanguageModel.role_facts`; embeddings and the last norm speak for the base: no role moves them."""
        language = self.model.model.language_model
        reference = module_fingerprint(nn.ModuleList([language.embed_tokens, language.norm]))
        return {"trainable": self.roles.trainable, "reference": reference}

    @property
    def base_source(self) -> str | None:
        """See :meth:`LanguageModel.base_source`."""
        return self.model.name_or_path or None

    @property
    def has_adapters(self) -> bool:
        """See :meth:`LanguageModel.has_adapters`."""
        return self.roles.trainable != "all"

    def save_role(self, role: str, folder: str, merged: bool) -> None:
        """See :meth:`LanguageModel.save_role`: transformers' layout, or peft's; generation config and processor too."""
        self.roles.save(role, folder, merged)
        self.processor.save_pretrained(folder)
