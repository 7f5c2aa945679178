"""The languages of the page."""

from collections.abc import Mapping
from gettext import NullTranslations
from typing import Literal

from typing_extensions import override

from est_alan_scheduler.web.page.words.korean import KOREAN

Language = Literal["en", "ko"]

LANGUAGES: Mapping[str, str] = {"en": "English", "ko": "한국어"}
"""The name of each language in itself."""


class _Translations(NullTranslations):
    """The texts of templates in another language."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        super().__init__()
        self._texts = texts

    @override
    def gettext(self, message: str) -> str:
        return self._texts.get(message, message)

    @override
    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self._texts.get(msgid1) or super().ngettext(msgid1, msgid2, n)


TRANSLATIONS: Mapping[str, NullTranslations] = {"en": NullTranslations(), "ko": _Translations(KOREAN)}


def language_of(chosen: str | None, accepted: str) -> Language:
    """Return the language that was chosen, or else the one that `Accept-Language` likes best; English without any."""
    if chosen in LANGUAGES:
        return "ko" if chosen == "ko" else "en"
    weights = {"en": 0.0, "ko": 0.0}
    for part in accepted.split(",")[:50]:
        name, _, options = part.partition(";")
        language = name.strip().lower().partition("-")[0]
        if language in weights:
            weights[language] = max(weights[language], _weight(options))
    return "ko" if weights["ko"] > weights["en"] else "en"


def _weight(options: str) -> float:
    """Return the quality of an entry: 1 unless it says another one, `q=0.8`."""
    name, _, value = options.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0
