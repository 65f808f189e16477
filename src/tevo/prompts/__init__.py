"""Questions as text: the grammar and its parser, the phrase banks, and how a question is composed."""

from tevo.prompts.compose import Composed as Composed
from tevo.prompts.compose import Named as Named
from tevo.prompts.compose import compose as compose
from tevo.prompts.grammar import KINDS as KINDS
from tevo.prompts.grammar import LEVELS as LEVELS
from tevo.prompts.grammar import Ask as Ask
from tevo.prompts.grammar import parse as parse
from tevo.prompts.grammar import render as render
from tevo.prompts.phrases import load_phrases as load_phrases
from tevo.prompts.phrases import world_phrases as world_phrases
