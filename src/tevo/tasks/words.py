"""How a role that writes is asked and how long it may write; backbones that are no language model do not read it."""

from dataclasses import dataclass

from tevo.backbones.language import Sampling


@dataclass(frozen=True)  # no slots: jsonargparse reads a default with vars()
class Words:
    """Prompts and completions of a language model's role."""

    templates: str = "tiny"  # tiny | instruct, or a YAML file of the same texts
    max_new_tokens: int = 256  # length bound of a completion
    temperature: float = 1.0  # of the policy, in rollout and update alike
    control_votes: int = 4  # assumed; replies under each intervention
    refills: int = 1  # assumed; times that questions whose groups teach nothing are answered anew in a step
    merged: bool = True  # write every round's whole model with the role in it too, beside the adapter
    max_mismatch: float = 0.05  # assumed; largest |log-prob in rollout - in update| that the first step may show

    def sampling(self, stop: tuple[str, ...]) -> Sampling:
        """Of completions that end with one of these texts."""
        return Sampling(self.max_new_tokens, self.temperature, stop)
