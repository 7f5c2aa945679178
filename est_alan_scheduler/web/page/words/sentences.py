"""The sentences of the library, in the languages of the page."""

from est_alan_scheduler.web.page.words.language import Language


def in_words(text: str, language: Language) -> str:  # noqa: ARG001  # the sentences come in English
    """Return a sentence of the library, a schedule in words or a reason, in a language."""
    return text
