"""Aliases: how ids stand in attributes of a page that HTML cannot hold as they are."""

import re
from urllib.parse import quote, unquote

_MARK = "\ue000"  # of the private use area: an id that begins with it has an alias as well, so no two are alike
_UNFIT = re.compile(f"^{_MARK}|[\\0\ud800-\udfff]")


def alias(task_id: str) -> str:
    """Return an id for an attribute: browsers read NUL as another character, and UTF-8 has no halves of pairs."""
    return _MARK + quote(task_id, safe="", errors="surrogatepass") if _UNFIT.search(task_id) else task_id


def id_of_alias(text: str) -> str:
    """Return the id of an alias; an id that has none as it is."""
    return unquote(text[1:], errors="surrogatepass") if text.startswith(_MARK) else text
