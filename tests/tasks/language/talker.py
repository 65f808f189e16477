"""A tiny Qwen-VL with random weights that writes what parses, dealt by the draws' generator; and a steady rate."""

from dataclasses import replace
from functools import partial

import torch
from lightning.pytorch import Callback

from tevo.backbones import build_backbone
from tevo.backbones.language import LanguageModel
from tevo.backbones.qwen_vl import QwenVL

ASKED = (
    "<evidence>[({}.0, {}.5)]</evidence><type>multiple choice</type><question>What happens {}?</question>"
    "<options>A) it grows B) it spins C) it blinks</options><answer>{}</answer>"
)


PLACED = (
    "<evidence>[(0.0, {}.5)]</evidence><type>when</type><question>When does this happen: it {}?</question>"
    "<answer></answer>"
)


def talk(model, obliging=False):
    """Deal its words; everything else of it is real. An obliging one asks *when* where it is to, the other never."""

    def words(prompt, generator):
        number = torch.randint(60, (4,), generator=generator).tolist()
        if obliging and "Kinds: when." in prompt.text:
            return PLACED.format(1 + number[0] % 2, ("grows", "spins", "blinks")[number[1] % 3])
        if "Ask a question" in prompt.text:
            return ASKED.format(0, 1 + number[0] % 2, ("first", "last")[number[1] % 2], "ABC"[number[2] % 3])
        spans = f"<glue>[({number[0] % 9}.0, {number[0] % 9 + 2}.0)]</glue>"
        return spans if "When" in prompt.text else f"<answer>{'ABC'[number[3] % 3]}</answer>{spans}"

    def sample(prompts, num_samples, sampling, generator):
        texts = [[words(prompt, generator) for _ in range(num_samples)] for prompt in prompts]
        given = model.encode_reply(texts)
        with torch.no_grad():
            return replace(given, log_probs=model.log_probs(prompts, given, sampling.temperature).log_probs)

    model.sample = sample
    model.best = partial(LanguageModel.best, model)  # by way of what it samples
    return model


def talker(trainable: str = "lora_all", obliging: bool = True) -> QwenVL:
    """The same random weights each time."""
    torch.manual_seed(0)
    return talk(build_backbone("qwen2_5_vl_tiny", pretrained=False, trainable=trainable), obliging)


class Steady(Callback):
    """One learning rate for all steps: it else depends on how many batches an epoch has in one process."""

    def on_before_optimizer_step(self, trainer, module, optimizer):
        for group in optimizer.param_groups:
            group["lr"] = 1e-3
