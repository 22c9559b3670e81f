"""How a check answers: exit code 0 passes, 1 fails, 75 can't tell; the sentence is the container's last message."""

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass

from sluice_server.termination import write

PASSED, FAILED, CANT_TELL = 0, 1, 75  # EX_TEMPFAIL: whoever asks may ask again


@dataclass(frozen=True)
class Answer:
    """What came of a check."""

    code: int
    sentence: str


class CantTellError(Exception):
    """The check could not be made: this says nothing of the model. The message is one sentence."""


def answered(check: Callable[[], Answer]) -> int:
    """Makes a check and tells Kubernetes; returns the exit code. A check that breaks says nothing of the model."""
    try:
        answer = check()
    except CantTellError as error:
        answer = Answer(CANT_TELL, str(error))
    except Exception as error:
        logging.exception("the check failed itself")
        answer = Answer(CANT_TELL, f"the check failed itself ({type(error).__name__}: {error})")
    text = " ".join(answer.sentence.split())
    print(text, file=sys.stderr, flush=True)
    write(text)
    return answer.code
