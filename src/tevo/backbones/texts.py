"""Text embeddings that are asked for again and again: each phrase goes through a frozen tower once."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

ON_A_DEVICE = 256  # texts that go through the tower at once, other than on a CPU


class TextMemory:
    """The embeddings of the phrases seen last.

    Args:
        size: phrases that are kept.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.rows: OrderedDict[str, Tensor] = OrderedDict()

    def clear(self) -> None:
        """Forget all: the weights have changed."""
        self.rows.clear()

    def embed(
        self, texts: Sequence[str], encode: Callable[[Sequence[str]], Tensor], device: torch.device
    ) -> Float[Tensor, "text joint"]:
        """One row a text, in order; what is not known is encoded, without gradients.

        On a CPU each text goes through alone: matrix products round by the shape of the batch, and a text's embedding
        must not depend on its company.

        Args:
            texts: at least one.
            encode: the text tower.
            device: where the tower is.
        """
        new = [text for text in dict.fromkeys(texts) if text not in self.rows]
        known = {text: self.rows[text] for text in texts if text in self.rows}
        step = 1 if device.type == "cpu" else ON_A_DEVICE
        with torch.no_grad():
            for start in range(0, len(new), step):
                chunk = new[start : start + step]
                known.update(zip(chunk, encode(chunk), strict=True))
        for text, row in known.items():
            self.rows[text] = row
            self.rows.move_to_end(text)
        while len(self.rows) > self.size:
            self.rows.popitem(last=False)
        return torch.stack([known[text].to(device) for text in texts])
