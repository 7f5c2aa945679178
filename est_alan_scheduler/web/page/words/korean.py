"""The Korean texts of the templates, by the English ones."""

from collections.abc import Mapping

KOREAN: Mapping[str, str] = {
    "Tasks": "작업",
}
