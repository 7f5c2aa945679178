"""The figures as plain text: a table with a block for each measure and a line for each contender, and ratios."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from .contenders import RecordingFloor
from .measures import Medians

REGISTER = "construct + register, µs per task"
IDLE = "idle tick, µs"
DISPATCH = "dispatch, µs per run, a tenth of the tasks due"
BYTES = "bytes per registered task"
_MEASURES = (REGISTER, IDLE, DISPATCH, BYTES)
_LABEL, _COLUMN = 48, 12


@dataclass
class Report:
    """Figures by measure, number of tasks and contender."""

    names: Sequence[str]
    sizes: Sequence[int]
    _figures: dict[tuple[str, int], Medians] = field(default_factory=dict)

    def put(self, measure: str, size: int, medians: Medians) -> None:
        """Add the figures of one measure at one number of tasks."""
        self._figures[measure, size] = medians

    def table(self) -> str:
        """Return all figures, with a dash for each that was not measured."""
        lines = [_line("tasks", [f"{size:,}" for size in self.sizes])]
        for measure in _MEASURES:
            lines += ["", measure]
            lines += [
                _line(f"  {name}", [self._cell(measure, size, name) for size in self.sizes]) for name in self.names
            ]
        return "\n".join(lines)

    def ratios(self) -> str:
        """Return the ratios of the figures to each other."""
        least, most = self.sizes[0], self.sizes[-1]
        lines = [_line("ratios", [f"{size:,}" for size in self.sizes])]
        for measure, word in ((DISPATCH, "dispatch"), (REGISTER, "register"), (IDLE, "idle tick"), (BYTES, "bytes")):
            lines += [
                _line(f"  {word}, ours / {name}", [self._ratio(measure, size, name) for size in self.sizes])
                for name in self.names
                if name != "ours" and (name != "floor" or measure == DISPATCH)
            ]
        lines += [
            _line(
                f"  {word}, {name} at {most:,} / at {least:,}",
                [f"{self._figures[measure, most][name] / self._figures[measure, least][name]:.2f}"],
            )
            for measure, word in ((IDLE, "idle tick"), (REGISTER, "register"), (DISPATCH, "dispatch"), (BYTES, "bytes"))
            for name in ("ours", RecordingFloor.name)
        ]
        return "\n".join(lines)

    def _cell(self, measure: str, size: int, name: str) -> str:
        figure = self._figures[measure, size].get(name)
        if figure is None:
            return "-"
        return f"{figure:,.0f}" if figure >= 1000 or measure == BYTES else f"{figure:.2f}"

    def _ratio(self, measure: str, size: int, name: str) -> str:
        medians = self._figures[measure, size]
        return f"{medians['ours'] / medians[name]:.3g}" if name in medians else "-"


def _line(label: str, cells: Sequence[str]) -> str:
    return label.ljust(_LABEL) + "".join(cell.rjust(_COLUMN) for cell in cells)
