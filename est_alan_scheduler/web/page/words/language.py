"""The languages of the page."""

from collections.abc import Mapping, Sequence
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
    best, most = "en", 0.0
    for part in accepted.split(",")[:50]:
        name, *options = part.split(";")
        language = name.strip().lower().partition("-")[0]
        if language in LANGUAGES and _weight(options) > most:  # of equal ones, the first
            best, most = language, _weight(options)
    return "ko" if best == "ko" else "en"


def _weight(options: Sequence[str]) -> float:
    """Return the quality of an entry: 1 unless it says another one, `q=0.8`; 0 for what is no number."""
    values = [value for name, _, value in (one.partition("=") for one in options) if name.strip().lower() == "q"]
    try:
        return min(max(float(values[0]), 0.0), 1.0) if values else 1.0
    except ValueError:
        return 0.0
