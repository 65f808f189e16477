"""A process that probes videos: ``python -m tevo.video.worker LIMIT_S``. One path a line in, one row a line out.

It runs apart because a decoder may hang or crash on a damaged file, and then only this process is lost.
"""

import faulthandler
import json
import os
import sys
import threading
import time

from tevo.video.container import VideoError
from tevo.video.info import probe

PARENT_CHECK_S = 1.0
READY = "ready"  # the first line: imports are done, the clock of a file may start


def main() -> None:
    """Answer until the input ends."""
    limit_s = float(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not pass for an answer
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    print(READY, file=answers, flush=True)
    with open(os.devnull, "w") as devnull:
        for line in sys.stdin:
            # The asker kills a process that hangs. Should the asker be gone, this ends it even while the
            # decoder holds the interpreter: a watchdog in C.
            faulthandler.dump_traceback_later(2 * limit_s + 10.0, exit=True, file=devnull)
            print(json.dumps(answer(json.loads(line))), file=answers, flush=True)
            faulthandler.cancel_dump_traceback_later()


def answer(path: str) -> dict[str, object]:
    """``{"info": row}`` of a readable video, ``{"reason": words}`` of any other."""
    try:
        return {"info": probe(path).to_row()}
    except VideoError as error:
        return {"reason": error.reason}
    except Exception as error:  # one strange file must not end the scan of a hundred thousand
        return {"reason": f"probe failed ({type(error).__name__}: {error})"}


def _end_with(parent: int) -> None:
    """End this process soon after its parent was killed, whatever it hangs on."""
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_S)
    os._exit(1)


if __name__ == "__main__":
    main()
