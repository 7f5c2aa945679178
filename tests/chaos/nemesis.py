"""The nemesis: random harm, the same for the same seed, all of it in the journal."""

import heapq
import random
import time
from collections.abc import Callable
from itertools import count

from est_alan_scheduler.backends import BackendUnavailableError
from tests.backends.stores import Postgres, Store, Valkey
from tests.chaos.fleet import Fleet
from tests.chaos.journal import Act, End, Journal, Reader, Start
from tests.chaos.nonsense import Nonsense
from tests.chaos.proxy import Proxy
from tests.chaos.refusals import refusals
from tests.chaos.watched import POINTS

ACTS = {
    "kill": 3,
    "die": 5,  # at a trap
    "lose": 2,  # the answer of the store is lost, at a trap
    "pause": 4,
    "overtake": 2,  # pause in the middle of a run, until another instance runs that task
    "restart": 1,
    "crash": 1,
    "cut": 2,
    "refuse": 1,
    "deaf": 3,
    "deny": 2,  # the store takes no writes
    "nonsense": 3,  # a row that makes no sense
}
"""The acts, and their weights."""
MANAGE = "manage"
"""One more act, which goes on all the time: instances pause, resume, update and run tasks."""
_WAYS = {"pause": 4, "resume": 4, "run_now": 4, "update": 4, "pause_all": 1}
_LOCAL = ("kill", "die", "lose", "pause", "overtake", "deny", "nonsense")  # without a server


class Nemesis:
    """A loop in one thread: it acts, then waits for the next act or for something to undo."""

    def __init__(
        self,
        fleet: Fleet,
        proxies: list[Proxy],
        store: Store,
        server: Postgres | Valkey | None,
        journal: Journal,
        reader: Reader,
        lease: float,
        acts: tuple[str, ...],
        chance: random.Random,
    ) -> None:
        self._fleet = fleet
        self._proxies = proxies
        self._server = server
        self._refusals = refusals(store, server)
        self._is_denied = False
        self._nonsense = Nonsense(store)
        self._journal = journal
        self._reader = reader
        self._started: dict[str, Start] = {}  # the last run of each task
        self._in_flight: dict[tuple[str, int], Start] = {}
        self._lease = lease
        self._acts = [act for act in acts if act in ACTS and (server is not None or act in _LOCAL)]
        self._manages = MANAGE in acts
        self._chance = chance
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def rage(self, seconds: float) -> None:
        """Do harm for so long; the last of it is not undone yet."""
        end = time.monotonic() + seconds
        self._in(self._chance.uniform(0.2, 0.5), self._act)
        if self._manages:
            self._in(self._chance.uniform(0.2, 0.5), self._manage)
        while time.monotonic() < end:
            self._go_on()

    def heal(self) -> None:
        """Undo all harm, and replace all missing workers."""
        self._later.clear()
        self.allow()
        self._note("", "heal")
        for proxy in self._proxies:
            if proxy.mode != "pass":
                proxy.mode = "pass"
                proxy.cut()
        for place in list(self._fleet.paused):
            self._fleet.resume(place)
        for place in range(len(self._fleet)):
            if self._fleet.is_there(place):
                self._fleet.send(place, "clear")
        for place in self._fleet.reap():
            self._fill(place)
        for place in range(len(self._fleet)):
            if not self._fleet.is_there(place):
                self._fill(place)

    def watch(self, seconds: float) -> None:
        """Let time pass; a worker that still dies, in a trap that had sprung, is replaced."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._go_on()

    def _go_on(self) -> None:
        for place in self._fleet.reap():
            self._in(self._chance.uniform(0, 1.5), lambda place=place: self._fill(place))  # type: ignore[misc]  # lambda
        now = time.monotonic()
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2]()
        time.sleep(0.02)

    def _fill(self, place: int) -> None:
        if not self._fleet.is_there(place):
            self._fleet.fill(place, self._chance)

    def _act(self) -> None:
        chance = self._chance
        act = chance.choices(self._acts, [ACTS[act] for act in self._acts])[0] if self._acts else ""
        place, seconds = chance.randrange(len(self._fleet)), chance.uniform(1.5, 2.5) * self._lease
        point, pause = chance.choice(POINTS), chance.uniform(0.2, 1.6)
        self._in(pause, self._act)
        if act == "overtake":
            self._overtake()
        elif act == "deny":
            self._deny(seconds)
        elif act == "nonsense":
            self._put_nonsense(place, seconds)
        elif act in ("restart", "crash"):
            self._note("", act)
            assert self._server is not None
            self._server.restart(lambda: time.sleep(pause / 2), crash=act == "crash")
            self._note("", "server is back")
        elif act and self._fleet.is_there(place) and place not in self._fleet.paused:
            self._harm(act, place, seconds, point)

    def _deny(self, seconds: float) -> None:
        if not self._is_denied and (how := self._refusals.begin(self._chance)):
            self._is_denied = True
            self._note("", f"deny: {how}, {seconds:.1f} s")
            self._in(seconds, self.allow)

    def allow(self) -> None:
        """Let the store take writes again."""
        self._refusals.end()
        if self._is_denied:
            self._is_denied = False
            self._note("", "writes are accepted")

    def _put_nonsense(self, place: int, seconds: float) -> None:
        """Write a row of nonsense, and have an instance remove it after a while."""
        if self._is_denied:
            return
        try:
            task_id, what = self._nonsense.put(self._chance)
        except BackendUnavailableError:  # its connection is from before a crash of the server
            return
        self._note("", f"nonsense {task_id}: {what}")
        self._in(seconds, lambda: self._remove(place, task_id))

    def _remove(self, place: int, task_id: str) -> None:
        if self._fleet.is_there(place):
            self._fleet.send(place, f"{MANAGE} remove {task_id}")

    def _harm(self, act: str, place: int, seconds: float, point: str) -> None:
        fleet, name = self._fleet, self._fleet.name(place)
        if act == "kill":
            self._note(name, "kill")
            fleet.kill(place)
        elif act in ("die", "lose"):
            if act == "lose" and point.endswith(("start", "end")):
                point = "after-claim"  # there is no answer to lose at that point
            fleet.send(place, f"{act} {point}")
        elif act == "pause":
            self._note(name, f"pause {seconds:.1f} s")
            fleet.pause(place)
            self._in(seconds, lambda: self._resume(place, name))
        elif act == "cut":
            self._note(name, "cut")
            self._proxies[place].cut()
        else:
            self._note(name, f"{act} {seconds / 2:.1f} s")
            self._proxies[place].mode = act
            if act == "refuse":
                self._proxies[place].cut()
            self._in(seconds / 2, lambda: self._pass(place))

    def _manage(self) -> None:
        chance, number = self._chance, next(self._numbers)
        self._in(chance.uniform(0.1, 0.5), self._manage)
        what = chance.choices(list(_WAYS), list(_WAYS.values()))[0]
        place, which = chance.randrange(len(self._fleet)), chance.randrange(2)
        if not self._fleet.is_there(place):
            return
        if what == "pause_all":
            self._fleet.send(place, f"{MANAGE} pause_all")
            self._in(chance.uniform(0.5, 1.5), self._resume_all)
            return
        task = {"run_now": "asked", "update": "updated"}.get(what, "paused")
        self._fleet.send(place, f"{MANAGE} {what} {task}-{which} {number}")

    def _resume_all(self) -> None:
        for place in range(len(self._fleet)):  # some of them may be cut off
            if self._fleet.is_there(place):
                self._fleet.send(place, f"{MANAGE} resume_all")

    def _overtake(self) -> None:
        self._read_news()
        before = time.monotonic() - self._lease / 4  # a short run would end too soon
        for run in [run for run in self._started.values() if run.at < before]:
            place = int(run.instance.partition(".")[0])
            is_there = self._fleet.is_there(place) and self._fleet.name(place) == run.instance
            goes_on = (run.task, run.epoch) in self._in_flight
            if is_there and goes_on and not self._fleet.paused:  # the others have to be able to overtake it
                self._note(run.instance, f"overtake {run.task} epoch {run.epoch}")
                self._fleet.pause(place)
                self._until_overtaken(place, run, time.monotonic() + 2.5 * self._lease)
                return

    def _until_overtaken(self, place: int, run: Start, end: float) -> None:
        self._read_news()
        if self._started[run.task].epoch > run.epoch or time.monotonic() > end:
            self._resume(place, run.instance)
        else:
            self._in(0.1, lambda: self._until_overtaken(place, run, end))

    def _read_news(self) -> None:
        """Read the journal for the runs in flight."""
        for record in self._reader.news():
            if isinstance(record, Start):
                self._started[record.task] = self._in_flight[record.task, record.epoch] = record
            elif isinstance(record, End):
                self._in_flight.pop((record.task, record.epoch), None)

    def _resume(self, place: int, name: str) -> None:
        if place in self._fleet.paused and self._fleet.name(place) == name:
            self._note(name, "resume")
            self._fleet.resume(place)

    def _pass(self, place: int) -> None:
        self._proxies[place].mode = "pass"
        self._proxies[place].cut()  # the requests made meanwhile get no answer

    def _in(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._numbers), action))

    def _note(self, instance: str, what: str) -> None:
        self._journal.write(Act(time.monotonic(), instance, what))
