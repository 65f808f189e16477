"""The command line: one LightningCLI, the small verbs beside it, and errors in one clear message."""

import os
import sys
from argparse import ArgumentError
from importlib import import_module

from tevo.errors import TevoError
from tevo.verbs.configs import with_shipped_configs
from tevo.verbs.table import REHEARSAL_VERBS, TRAINER_VERBS, help_text, version_text, where_is


def main(args: list[str] | None = None) -> None:
    """Run one verb. Nothing heavy is imported before the verb is known.

    Args:
        args: the words after ``tevo``; those of the process when None.
    """
    words = list(sys.argv[1:] if args is None else args)
    debug = "--debug" in words or os.environ.get("TEVO_DEBUG", "") not in ("", "0")
    words = [word for word in words if word != "--debug"]
    try:
        dispatch(words)
    except (TevoError, ArgumentError) as error:
        if debug:
            raise
        options = f"\n`tevo {words[0]} --help` lists the options." if isinstance(error, ArgumentError) else ""
        print(f"tevo: error: {error}{options}", file=sys.stderr)
        raise SystemExit(2) from None


def dispatch(words: list[str]) -> None:
    """Send the words to the verb they begin with; the verb's module is imported here."""
    if not words or words[0] in ("-h", "--help", "help"):
        print(help_text())
    elif words[0] == "--version":
        print(version_text())
    else:
        module = import_module(where_is(words[0]))
        module.run(with_shipped_configs(words) if words[0] in TRAINER_VERBS | REHEARSAL_VERBS else words)
