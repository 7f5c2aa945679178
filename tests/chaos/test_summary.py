"""The table of a run of chaos."""

from tests.chaos.history import History
from tests.chaos.journal import Act
from tests.chaos.summary import summary


def test_the_summary_counts_what_happened(history: History) -> None:
    history.goes_on(0, 30).records += [Act(1.0, "i1", "pause 4.0 s"), Act(2.0, "", "crash")]
    history.records += [Act(3.0, "", "deny: locked, 2.0 s"), Act(4.0, "", "nonsense nonsense-1: {}")]
    lines = summary(history.facts(), ["a law is broken"]).splitlines()
    assert [line.split("  ")[-1].strip() for line in lines] == [
        "30", "0", "30", "1", "0", "0", "1, 0", "0, 1", "0, 0", "0, 0", "1, 1", "0, 0", "0, 0", "0", "0", "1",
        "a law is broken",
    ]  # fmt: skip
