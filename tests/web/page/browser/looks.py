"""Looks: the language, the colours and the width in which a page is seen."""

from dataclasses import dataclass
from typing import Literal

from est_alan_scheduler.web.page.words.language import TRANSLATIONS, Language

SIZES = {"desktop": (1280, 800), "phone": (390, 844)}


@dataclass(frozen=True)
class Look:
    """How a page is seen."""

    language: Language = "en"
    colours: Literal["light", "dark"] = "light"
    device: Literal["desktop", "phone"] = "desktop"

    def __str__(self) -> str:
        return f"{self.language}-{self.colours}-{self.device}"

    @property
    def size(self) -> tuple[int, int]:
        """Its width and height, in pixels."""
        return SIZES[self.device]

    def words(self, text: str, **values: object) -> str:
        """Return a text of the page in this language."""
        return TRANSLATIONS[self.language].gettext(text) % values


PAIRS = [
    Look("en", "light", "desktop"),
    Look("en", "dark", "phone"),
    Look("ko", "light", "phone"),
    Look("ko", "dark", "desktop"),
]
"""As few as have each language in both colours and at both widths, and each colour at both widths."""
OPPOSITES = [Look("en", "light", "desktop"), Look("ko", "dark", "phone")]
"""As few as have each language, each colour and each width."""
