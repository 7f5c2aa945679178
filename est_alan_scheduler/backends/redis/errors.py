"""Error replies of Redis, told apart by their codes: the first word of a reply."""

import re

import redis

from est_alan_scheduler.backends.backend import BackendUnavailableError, ValueRefusedError

_REFUSED = ("ERR", "WRONGTYPE")  # of a command or a script: an argument, or a key of another type
_DENIED = re.compile("ACL failure in script|@user_script: [0-9]+: The user executing the script can't")
_IN_SCRIPT = re.compile("Error running script .*@user_script: ?[0-9]+: -?([A-Z]{3,}) ")  # before Redis 7


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
    code = str(getattr(error, "status_code", None) or text.partition(" ")[0])
    if code != "ERR" and re.fullmatch("[A-Z]{3,}", code):
        return code
    if _DENIED.search(text):  # servers give these no code of their own
        return "NOPERM"
    inner = _IN_SCRIPT.match(text.removeprefix("ERR "))
    return inner[1] if inner else "ERR"
