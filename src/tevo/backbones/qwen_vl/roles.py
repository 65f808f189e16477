"""Several roles on one base: LoRA adapters on it, or whole copies of its language side.

LoRA: Hu et al., arXiv 2106.09685, through peft. The base is never trained: it is the reference.
"""

import copy
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tevo.errors import TevoError

TRAINABLE = ("lora", "lora_all", "all")
_ATTENTION = "q_proj|k_proj|v_proj|o_proj"
_LINEAR = f"{_ATTENTION}|gate_proj|up_proj|down_proj"
_TOWER = "qkv|proj|gate_proj|up_proj|down_proj|linear_fc1|linear_fc2"


class Roles:
    """The trainable weights of each role, and which of them acts.

    Args:
        base: the transformers model; frozen here.
        trainable: "lora" adapts the language model's attention, "lora_all" all its linear layers, "all" trains a
            copy of the whole language model a role.
        train_vision: the vision tower is part of it (adapted, or copied).
        rank: of the adapters.
        alpha: of the adapters; their update is scaled by ``alpha / rank``.

    Raises:
        TevoError: an unknown choice.
    """

    def __init__(self, base: Any, trainable: str, train_vision: bool, rank: int, alpha: int) -> None:  # noqa: ANN401
        if trainable not in TRAINABLE:
            raise TevoError(f"unknown trainable {trainable!r}: choose one of {', '.join(TRAINABLE)}")
        self.base, self.trainable, self.train_vision = base, trainable, train_vision
        self.rank, self.alpha = rank, alpha
        self.names: list[str] = []
        self.acting: str | None = None
        self.copies: dict[str, Any] = {}
        self.adapters: dict[str, nn.ParameterList] = {}
        self._tuner: Any = None  # peft's view of the base, once it has adapters
        base.requires_grad_(False)

    @property
    def model(self) -> Any:  # noqa: ANN401 (untyped library)
        """The transformers model as the acting role has it."""
        return self.base if self.acting is None else self.copies.get(self.acting, self.base)

    def add(self, name: str) -> nn.Module:
        """A role's weights; at first the model acts exactly as the base."""
        if name in self.names or not re.fullmatch(r"[a-z][a-z_0-9]*", name):
            known = f"there are {self.names}" if self.names else "there is none yet"
            raise TevoError(f"a role needs a new name of small letters, digits and _, got {name!r}; {known}")
        self.names.append(name)
        if self.trainable == "all":
            made = self.copies[name] = self._copy()
            parts = {"language_model": made.model.language_model, "lm_head": made.lm_head}
            return nn.ModuleDict(parts | ({"visual": made.model.visual} if self.train_vision else {}))
        return self._add_adapter(name)

    def _copy(self) -> Any:  # noqa: ANN401 (untyped library)
        """The base over again; a frozen vision tower is not copied but shared."""
        shared = {} if self.train_vision else {id(self.base.model.visual): self.base.model.visual}
        made = copy.deepcopy(self.base, shared)
        made.requires_grad_(True)
        if not self.train_vision:
            made.model.visual.requires_grad_(False)
        return made

    def _add_adapter(self, name: str) -> nn.ParameterList:
        try:
            from peft import LoraConfig, LoraModel
        except ImportError as error:
            raise TevoError(
                f"trainable: {self.trainable} needs peft ({error}): pip install 'tevo[qwen]', or train whole copies "
                "with trainable: all"
            ) from error

        language = _LINEAR if self.trainable == "lora_all" else _ATTENTION
        pattern = rf".*language_model\.layers\..*\.({language})"
        if self.train_vision:
            pattern = rf"({pattern}|.*visual\..*\.({_TOWER}))"
        config = LoraConfig(r=self.rank, lora_alpha=self.alpha, target_modules=pattern, lora_dropout=0.0)
        flags = self._flags()
        if self._tuner is None:
            self._tuner = LoraModel(self.base, config, name)
        else:
            self._tuner.peft_config[name] = config
            self._tuner.inject_adapter(self.base, name)
        found = [p for key, p in self.base.named_parameters() if f".{name}." in key and "lora_" in key]
        for parameter in found:  # small, and an optimizer's steps are too small for bfloat16
            parameter.data = parameter.data.float()
        self.adapters[name] = nn.ParameterList(found)
        for parameter, flag in [*flags, *((p, True) for p in found)]:
            parameter.requires_grad_(flag)
        self._switch(self.acting)
        return self.adapters[name]

    @contextmanager
    def act(self, role: str | None) -> Iterator[None]:
        """A role acts within the context; None is the base by itself."""
        if role is not None and role not in self.names:
            raise self._unknown(role)
        before, self.acting = self.acting, role
        self._switch(role)
        try:
            yield
        finally:
            self.acting = before
            self._switch(before)

    def _switch(self, role: str | None) -> None:
        """Adapters on or off. Whether a weight asks for gradients is the trainer's to say, and stays as it is."""
        if not self.adapters:
            return
        from peft.tuners.tuners_utils import BaseTunerLayer

        flags = self._flags()
        for module in self.base.modules():
            if isinstance(module, BaseTunerLayer):
                module.enable_adapters(role is not None)
                if role is not None:
                    module.set_adapter(role)
        for parameter, flag in flags:
            parameter.requires_grad_(flag)

    def _flags(self) -> list[tuple[nn.Parameter, bool]]:
        return [(p, p.requires_grad) for weights in self.adapters.values() for p in weights]

    def save(self, role: str, folder: str | Path, merged: bool) -> None:
        """The role's whole model in the hub's layout (``merged``), or its adapter in peft's."""
        if role not in self.names:
            raise self._unknown(role)
        if self.trainable == "all":
            if not merged:
                raise TevoError("with trainable: all a role is a model of its own and has no adapter; save it merged")
            _write(self.copies[role], folder)
        elif merged:
            _write(self.base, folder, state_dict=self._merged(role))
        else:
            self._save_adapter(role, Path(folder))

    @torch.no_grad()
    def _merged(self, role: str) -> dict[str, Tensor]:
        """The base's weights by their plain names, a role's added: new tensors where it has any; the base keeps its."""
        from peft.tuners.lora import LoraLayer

        state = self.base.state_dict()
        merged = {name.replace(".base_layer.", "."): value for name, value in state.items() if "lora_" not in name}
        adapted: dict[str, Any] = {n: m for n, m in self.base.named_modules() if isinstance(m, LoraLayer)}
        for name, module in adapted.items():
            if role in module.lora_A:
                weight = module.get_base_layer().weight
                added = weight.float() + module.get_delta_weight(role).float()
                merged[f"{name}.weight"] = added.to(weight.dtype).cpu()
        return merged

    def _save_adapter(self, role: str, folder: Path) -> None:
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        own = {key: value for key, value in self.base.state_dict().items() if f".{role}." in key and "lora_" in key}
        weights = {f"base_model.model.{key.replace(f'.{role}.', '.')}": own[key].contiguous() for key in own}
        save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
        config = copy.copy(self._tuner.peft_config[role])
        config.base_model_name_or_path = self.base.name_or_path or None
        config.inference_mode = True
        config.save_pretrained(folder)

    def _unknown(self, role: str) -> TevoError:
        return TevoError(f"there is no role {role!r}: there are {self.names}; make it with add_role")


def _write(model: Any, folder: str | Path, **given: Any) -> None:  # noqa: ANN401 (untyped library)
    """``save_pretrained`` without the bar that transformers draws over others' lines, for every role and round."""
    logging: Any = import_module("transformers.utils.logging")  # untyped
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        model.save_pretrained(folder, **given)
    finally:
        if shown:
            logging.enable_progress_bar()
