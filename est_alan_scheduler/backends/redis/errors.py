"""Error replies of Redis, told apart by their codes: the first word of a reply."""

import re

import redis

from est_alan_scheduler.backends.backend import BackendUnavailableError, ValueRefusedError

_REFUSED = ("ERR", "WRONGTYPE")  # of a command or a script: an argument, or a key of another type


def store_error(url: str, error: redis.RedisError) -> BackendUnavailableError:
    """Return the error of a backend for one of the client; all that is not told apart is an outage."""
    text = " ".join(str(error).split())
    if not isinstance(error, redis.ResponseError):  # there was no answer, or it was about the connection
        return BackendUnavailableError(f"{url}: {text}")
    code = _code(error, text)
    text = text if code == "ERR" or text.startswith(code) else f"{code} {text}"
    kind = ValueRefusedError if code in _REFUSED and type(error) is redis.ResponseError else BackendUnavailableError
    return kind(f"{url}: {text}")


def _code(error: redis.ResponseError, text: str) -> str:
    """Return the code of a reply. The client removes those that it knows, and later versions of it note them."""
    if noted := getattr(error, "status_code", None):
        return str(noted)
    word = text.partition(" ")[0]
    return word if re.fullmatch("[A-Z]{3,}", word) else "ERR"
