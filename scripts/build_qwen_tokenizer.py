"""Builds the tokenizer of the tiny Qwen-VL variants, on the text that the procedural world and the prompts are made of.

    python scripts/build_qwen_tokenizer.py

Byte-level BPE with the published pre-tokenisation (digits one by one), the published special tokens first, and
ChatML as its chat template. The same text gives the same file.
"""

import argparse
import json
import random
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from tevo.backbones.qwen_vl.tiny import SPECIAL_TOKENS, TOKENIZER, VOCABULARY
from tevo.prompts.grammar import LEVELS, Ask, render
from tevo.prompts.phrases import COUNTS, DURATIONS, world_phrases
from tevo.structures import Span

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHAT_TEMPLATE = """{%- for message in messages %}<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content -%}
{%- if part.type == 'video' %}<|vision_start|><|video_pad|><|vision_end|>
{%- elif part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>
{%- else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def corpus(rng: random.Random) -> list[str]:
    """Questions, options, answers, spans and tags, in about the mix in which they are written and read."""
    phrases, lines = world_phrases(), []
    for _ in range(4000):
        start, phrase = rng.uniform(0, 90), rng.choice(phrases)
        spans = f"[({start:.1f}, {start + rng.uniform(1, 6):.1f})]"
        kind = rng.choice(list(LEVELS))
        text = render(Ask(kind, phrase, Span(round(start, 1), round(start + 4, 1))))
        options = " ".join(f"{letter}) {rng.choice(phrases)}" for letter in "ABCD")
        lines += [
            f"<{start:.1f} seconds>",
            f"The video lasts {start:.1f} seconds.\n{text}\n{options}\n",
            f"<think>{phrase} <time>({start:.1f}, {start + 2:.1f})</time></think>",
            f"<answer>{rng.choice('ABCD')}</answer><glue>{spans}</glue>",
            f"<evidence>{spans}</evidence><type>{kind}</type><question>{text}</question>",
            f"<options>{options}</options><answer>{phrase}</answer>",
            rng.choice([*COUNTS, *DURATIONS]),
            "multiple choice open yes/no when count user assistant system",
        ]
    return lines


def build(vocabulary: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(random.Random(0)), trainer)
    return tokenizer


def main() -> None:
    """Write the three files of the tokenizer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=TOKENIZER)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    tokenizer = build(VOCABULARY)
    tokenizer.save(str(args.out / "tokenizer.json"))
    config = {
        "tokenizer_class": "Qwen2Tokenizer",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "model_max_length": 8192,
        "clean_up_tokenization_spaces": False,
    }
    (args.out / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
    (args.out / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    print(f"{tokenizer.get_vocab_size()} tokens in {args.out}")


if __name__ == "__main__":
    main()
