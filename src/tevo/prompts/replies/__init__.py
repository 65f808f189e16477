"""What a reply says: reasoning and tags, the option it names, the seconds it points at; a parser for each protocol."""

from tevo.prompts.replies.letters import LETTER_PARSERS as LETTER_PARSERS
from tevo.prompts.replies.letters import LetterParser as LetterParser
from tevo.prompts.replies.letters import plain_letter as plain_letter
from tevo.prompts.replies.tags import strip_reasoning as strip_reasoning
from tevo.prompts.replies.times import SPAN_PARSERS as SPAN_PARSERS
from tevo.prompts.replies.times import SpanParser as SpanParser
from tevo.prompts.replies.times import plain_spans as plain_spans
