"""Parts of SVG: elements in a row, and short numbers."""

from collections.abc import Iterable

from markupsafe import Markup


def joined(parts: Iterable[Markup]) -> Markup:
    """Return elements one after the other."""
    return Markup("").join(parts)


def number(value: float) -> str:
    """Return a coordinate with two digits after the point at most."""
    return f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".")  # the zero makes no difference but to -0
