"""One prediction before the first request: a server is ready when it has answered, not when it has started."""

import logging
from pathlib import Path
from typing import Any

from sluice_server.engine import Engine
from sluice_server.errors import RequestError
from sluice_server.protocols import mlflow as protocol
from sluice_server.termination import GivingUpError

log = logging.getLogger(__name__)


def warm_up(engine: Engine, directory: Path) -> bool:
    """Answers the model's own input example the way a request is answered; False if the model has none.

    Raises:
        GivingUpError: WarmUpFailed, if the model cannot answer it.
    """
    try:
        request = _example(engine, directory)
        if request is None:
            log.warning("the model has no input example: it counts as ready without having answered anything")
            return False
        protocol.render(engine.predict(request.data, request.params))
    except RequestError as error:
        cause = error.__cause__ or error
        raise GivingUpError("WarmUpFailed", f"{error.message} ({type(cause).__name__}: {cause})") from error
    except GivingUpError:
        raise
    except Exception as error:
        raise GivingUpError("WarmUpFailed", f"{type(error).__name__}: {error}") from error
    return True


def _example(engine: Engine, directory: Path) -> protocol.Request | None:
    info: dict[str, Any] = engine.metadata.saved_input_example_info or {}
    if name := info.get("serving_input_path"):
        file = (directory / name).resolve()
        if not file.is_relative_to(directory.resolve()):
            raise GivingUpError("UntrustedModel", f"MLmodel names a file outside the model: {name}.")
        return protocol.parse(file.read_bytes(), "application/json", engine.input_schema)
    if info:
        return protocol.Request(engine.metadata.load_input_example(str(directory)), None)
    return None
