"""Questions and replies as text: the grammar, the tagged formats and their parsers, templates, phrase banks."""

from tevo.prompts.asker import Asked as Asked
from tevo.prompts.asker import asker_prompt as asker_prompt
from tevo.prompts.asker import read_asked as read_asked
from tevo.prompts.asker import write_asked as write_asked
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
from tevo.prompts.solver import SolverReply as SolverReply
from tevo.prompts.solver import read_reply as read_reply
from tevo.prompts.solver import solver_prompt as solver_prompt
from tevo.prompts.solver import write_reply as write_reply
from tevo.prompts.tags import token_roles as token_roles
from tevo.prompts.templates import Templates as Templates
from tevo.prompts.templates import load_templates as load_templates
