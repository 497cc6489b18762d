"""What can go wrong between here and the Hub, said so that a person knows what to do next."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..contract.errors import RunError

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

_LOG_IN = "run `hf auth login`, or set HF_TOKEN"
_ADVICE = {
    401: f"the Hub does not know who you are, or the token is no longer valid; {_LOG_IN}",
    403: f"your token may not write there; take one with write access to the owner's repositories ({_LOG_IN})",
    404: f"not there, or your token may not see it; check the name, then {_LOG_IN}",
    412: "somebody changed it in the meantime; push again",
    429: "too many requests for now; wait a while and push again, what was sent is kept",
}
_URL = re.compile(r"\b\w++://\S+")


@contextmanager
def explained(repo: str) -> Iterator[None]:
    """Turns the client's errors into a RunError. Their own texts may hold signed URLs, which are never repeated."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        yield
    except HFValidationError as error:
        raise RunError(f"publish.hub.repo {repo!r}: not a repository's name; write it as owner/name") from error
    except OfflineModeIsEnabled as error:
        raise RunError(f"pushing {repo}: HF_HUB_OFFLINE is set; unset it to push") from error
    except (httpx2.HTTPError, OSError, RuntimeError, ValueError) as error:
        # an upload's thread wraps what happened in a RuntimeError; Xet raises RuntimeError and OSError of its own
        wrapped = isinstance(error, RuntimeError) and isinstance(error.__cause__, (httpx2.HTTPError, OSError))
        origin = error.__cause__ if wrapped else error
        if isinstance(origin, HfHubHTTPError):
            raise RunError(_answered(repo, origin)) from error
        if isinstance(origin, (httpx2.HTTPError, ConnectionError)):
            said = f"cannot reach the Hub ({_first_line(origin)}); check the connection"
        else:
            said = _first_line(origin)
        raise RunError(f"pushing {repo}: {said}; push again, what was sent is kept") from error


def _answered(repo: str, error: HfHubHTTPError) -> str:
    status = error.response.status_code
    if status in _ADVICE:
        return f"pushing {repo}: the Hub answered {status}: {_ADVICE[status]}"
    if status >= 500:
        return f"pushing {repo}: the Hub answered {status}; push again later, what was sent is kept"
    return f"pushing {repo}: the Hub answered {status} {_URL.sub('<url>', error.server_message or '')}".rstrip()


def _first_line(error: BaseException | None) -> str:
    lines = _URL.sub("<url>", str(error)).strip().splitlines()
    return lines[0].rstrip(" .;:") if lines else type(error).__name__
