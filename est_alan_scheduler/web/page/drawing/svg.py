"""SVG from Python: elements with escaped attributes and contents, and short numbers."""

from collections.abc import Iterable

from markupsafe import Markup, escape


def element(name: str, *contents: str, **attributes: object) -> Markup:
    """Return an element. Contents that are no `Markup` are escaped, and so are the values of attributes.

    An underscore at the end of an attribute's name goes, one within becomes a hyphen: `class_`, `aria_label`. Numbers
    are shortened; an attribute that is None is left out.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(map(escape, contents))
    return Markup(f"<{name}{given}>{inner}</{name}>" if inner else f"<{name}{given}/>")  # noqa: S704  # escaped above


def joined(parts: Iterable[Markup]) -> Markup:
    """Return elements one after the other."""
    return Markup("").join(parts)


def number(value: float) -> str:
    """Return a coordinate with two digits after the point at most."""
    return f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".")  # the zero makes no difference but to -0


def _text(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)
