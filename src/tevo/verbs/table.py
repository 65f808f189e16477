"""Which verbs there are, what each does in one line, and which module runs it. Imports nothing heavy."""

from difflib import get_close_matches

from tevo import __version__
from tevo.errors import TevoError

TRAINER_VERBS = {
    "fit": "teach a backbone from a folder of unlabelled videos",
    "validate": "measure a checkpoint on the validation questions, or on the unlabelled signals",
    "test": "the same on the test questions",
    "predict": "answer a file of questions (--data.questions FILE) with spans in seconds",
}
REHEARSAL_VERBS = {
    "plan": "with the options of fit: what it will read, hold and take, before it starts",
    "check-reward": "with the options of fit: a few rollouts, every reward term, and whether anything can be learnt",
}
SMALL_VERBS = {
    "ask": "one question about one video: the answer, its evidence in seconds, a page and a picture",
    "index": "probe every video under a folder once and list the bad ones with their reasons",
    "world": "render the procedural world: real mp4 files with known events",
    "list": "backbones, benchmarks, rewards and shipped configs, and where each comes from",
    "init": "copy the shipped configs into a folder, to edit",
    "doctor": "versions, devices, readers, caches, backbones: what works on this machine, and why not",
    "eval": "models on benchmarks, side by side under one spec, with intervals; may be stopped and taken up again",
    "evidence": "how good the evidence of a predictions file is, asked of a model, without labels",
    "report": "write report.html of a finished or running run, and print its table",
    "score": "score a file of predictions on a benchmark, under the rules of any published scorer",
}

_HELP = """\
usage: tevo VERB [options]

Video models that teach themselves, from unlabelled videos, to answer questions and to point at when.

{verbs}

  tevo VERB --help      the options of a verb, with units and defaults
  tevo --version        the version
  --debug               with any verb: a full traceback instead of one message (or TEVO_DEBUG=1)

To begin:
  tevo world runs/world-small --size small
  tevo fit --config conf/quickstart.yaml
With your own videos:
  tevo fit --config conf/videomae.yaml --data.root my_videos/"""


def help_text() -> str:
    """What ``tevo --help`` prints."""
    rows = (f"  {verb:<14}{line}" for verb, line in (TRAINER_VERBS | REHEARSAL_VERBS | SMALL_VERBS).items())
    return _HELP.format(verbs="\n".join(rows))


def version_text() -> str:
    """What ``tevo --version`` prints."""
    return f"tevo {__version__}"


def where_is(verb: str) -> str:
    """The module that runs a verb.

    Raises:
        TevoError: for a word that is no verb, naming the closest one.
    """
    if verb in TRAINER_VERBS:
        return "tevo.verbs.trainer"
    if verb in REHEARSAL_VERBS:
        return f"tevo.verbs.{verb.replace('-', '_')}"
    if verb in SMALL_VERBS:
        return "tevo.verbs.small"
    verbs = [*TRAINER_VERBS, *REHEARSAL_VERBS, *SMALL_VERBS]
    close = get_close_matches(verb, verbs, n=1)
    hint = f"did you mean {close[0]!r}?" if close else "`tevo --help` says what each does."
    raise TevoError(f"{verb!r} is not a verb of tevo. Verbs: {', '.join(verbs)}; {hint}")
