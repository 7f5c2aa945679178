"""Spans of leases and of healthy instances."""

from tests.chaos.journal import Born, End, Leased, Pulse, Record, Start, Trouble
from tests.chaos.spans import full, healthy, leases


def test_a_lease_is_unbroken_while_the_store_returns_the_same_beginning() -> None:
    records = [Leased(0.0, "a", "o", 3.0, 7), Leased(2.0, "a", "o", 5.0, 7), Leased(4.0, "a", "o", 7.0, 8)]
    assert leases(records) == {"o": [(0.0, 5.0), (4.0, 7.0)]}
    assert leases([*records, Leased(6.0, "a", "o", 6.0, 0)]) == {"o": [(0.0, 5.0), (4.0, 6.0)]}


def test_an_instance_that_is_paused_cut_off_or_busy_inline_is_not_healthy() -> None:
    leased: list[Record] = [Leased(float(at), "a", "o", at + 3.0, 0) for at in range(28)]
    pulses: list[Record] = [Pulse(at / 2, "a") for at in range(60) if not 4 < at < 10]
    busy: list[Record] = [
        Born(0.0, "a", 1, 0, 0.0),
        Start(20.0, "a", 1, "t", 0, 1, 1),
        End(21.0, "a", "t", 1, failed=False),
    ]
    trouble: list[Record] = [Trouble(10.5, "a", 10.0, "claim: lost"), Trouble(18.0, "a", 17.0, "claim: slow")]
    records: list[Record] = [*leased, *pulses, *busy, *trouble]
    records.sort(key=lambda record: record.at)
    assert healthy(records, 25.0) == [(0.0, 2.0), (5.0, 10.0), (15.5, 17.0), (18.0, 20.0), (21.0, 25.0)]


def test_an_instance_without_a_free_thread_is_not_healthy() -> None:
    runs: list[Record] = [
        Start(1.0, "a", 1, "t", 0, 1, 1),
        Start(2.0, "a", 1, "u", 0, 1, 1),
        Start(3.0, "a", 1, "v", 0, 1, 1),
        End(3.1, "a", "v", 1, failed=False),  # too short to count
        End(4.0, "a", "t", 1, failed=False),
        Start(6.0, "a", 1, "w", 0, 1, 1),
        End(8.0, "a", "u", 1, failed=False),
        Start(9.0, "a", 1, "x", 0, 1, 1),
    ]
    never = float("inf")
    assert full([Born(0.0, "a", 1, 2, 0.0), *runs]) == {"a": [(2.0, 4.0), (6.0, 8.0), (9.0, never)]}
    assert full([Born(0.0, "a", 1, 3, 0.0), *runs]) == {}
