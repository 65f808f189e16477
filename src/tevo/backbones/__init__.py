"""Video models behind one door; names load the library they need when they are built."""

from tevo.backbones.base import Backbone as Backbone
from tevo.backbones.base import BackboneSpec as BackboneSpec
from tevo.backbones.base import TextEncoder as TextEncoder
from tevo.backbones.base import TowerParts as TowerParts
from tevo.backbones.base import Tunable as Tunable
from tevo.backbones.fingerprint import module_fingerprint as module_fingerprint
from tevo.backbones.language import Completions as Completions
from tevo.backbones.language import LanguageModel as LanguageModel
from tevo.backbones.language import Prompt as Prompt
from tevo.backbones.language import Sampling as Sampling
from tevo.backbones.language import TokenScores as TokenScores
from tevo.backbones.language import Watched as Watched
from tevo.backbones.registry import build_backbone as build_backbone
from tevo.backbones.registry import list_backbones as list_backbones
from tevo.backbones.registry import register_backbone as register_backbone
from tevo.backbones.spans import frame_spans as frame_spans
from tevo.backbones.spans import tubelet_spans as tubelet_spans
