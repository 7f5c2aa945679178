"""The tasks of the demo."""

import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from importlib.util import find_spec

from est_alan_scheduler.fields.retry import Retry
from est_alan_scheduler.task_registry import TaskRegistry

_COUNTRIES, _PRODUCTS = ("DE", "FR", "KR", "US"), ("desk", "lamp", "chair")
ends = threading.Event()
"""The demo ends: no work takes any time from then on."""


def demo_registry() -> TaskRegistry:
    """Return a registry with the tasks of the demo."""
    registry = TaskRegistry(executor=ThreadPoolExecutor(8, "demo"))
    _add_probes(registry)
    _add_orders(registry)
    _add_housekeeping(registry)
    _add_dates(registry)
    for task in registry:
        task.description = task.description or task.func.__doc__
    return registry


def _add_probes(registry: TaskRegistry) -> None:
    @registry.task(id="probe-shop", every={"seconds": 3}, name="Probe: shop", tags=["probe"])
    def probe_shop() -> dict[str, int]:
        """Ask the shop whether it answers."""
        return {"status": 200, "milliseconds": _wave(31, 18, 90)}

    @registry.task(id="probe-payments", every={"seconds": 5}, name="Probe: payments", tags=["probe", "payments"])
    def probe_payments() -> dict[str, int]:
        """Ask the payment service whether it answers; it is down for a part of each minute."""
        if time.time() % 60 > 45:
            raise ConnectionError("payments.example answered 503 Service Unavailable")
        return {"status": 200, "milliseconds": _wave(17, 40, 400)}

    @registry.task(id="currency-rates", every={"seconds": 20}, name="Currency rates", tags=["finance"])
    def currency_rates() -> dict[str, float]:
        """Fetch what a euro costs."""
        _work(0.4)
        return {"KRW": _wave(600, 1550, 1620), "USD": _wave(900, 1080, 1120) / 1000}


def _add_orders(registry: TaskRegistry) -> None:
    @registry.task(id="fetch-orders", every={"seconds": 15}, name="Fetch orders", tags=["orders"])
    def fetch_orders() -> list[dict[str, str | int]]:
        """Fetch the orders of the last minute."""
        _work(1.2)
        number = _wave(40, 4, 9)
        return [{"country": _COUNTRIES[n % 4], "product": _PRODUCTS[n % 3], "euros": 20 + 7 * n} for n in range(number)]

    @registry.task(id="clean-orders", after=["fetch-orders"], name="Clean orders", tags=["orders"])
    def clean_orders(**results: list[dict[str, str | int]]) -> list[dict[str, str | int]]:
        """Drop the orders that are tests."""
        _work(0.6)
        return [order for order in results["dep_fetch_orders"] if order["euros"] != 27]

    for field in ("country", "product"):

        @registry.task(id=f"sum-by-{field}", after=["clean-orders"], name=f"Sum by {field}", tags=["orders"])
        def sum_by(dep_clean_orders: list[dict[str, str | int]], by: str = field) -> dict[str, int]:
            """Sum up the orders."""
            _work(0.8)
            sums = dict[str, int]()
            for order in dep_clean_orders:
                sums[str(order[by])] = sums.get(str(order[by]), 0) + int(order["euros"])
            return sums

    @registry.task(
        id="sales-report", after=["sum-by-country", "sum-by-product"], name="Sales report", tags=["orders", "report"]
    )
    def sales_report(dep_sum_by_country: dict[str, int], dep_sum_by_product: dict[str, int]) -> str:
        """Write the report of sales."""
        _work(0.5)
        best = max(dep_sum_by_product, key=dep_sum_by_product.__getitem__)
        return f"{sum(dep_sum_by_country.values())} euros in {len(dep_sum_by_country)} countries, best seller: {best}"

    @registry.task(id="send-report", after=["sales-report"], name="Send report", tags=["report"])
    def send_report(dep_sales_report: str) -> str:
        """Send the report to the managers."""
        return f"sent to 3 people: {dep_sales_report}"


def _add_housekeeping(registry: TaskRegistry) -> None:
    @registry.task(id="backup-photos", every={"seconds": 25}, name="Backup: photos", tags=["backup"])
    def backup_photos() -> None:
        """Copy new photos to the second disk, which is full."""
        _work(0.9)
        _write(1_310_720)

    @registry.task(id="backup-database", every={"minutes": 2}, name="Backup: database", tags=["backup"], timeout=60)
    def backup_database() -> str:
        """Copy the database."""
        _work(6)
        return f"{_wave(300, 812, 840)} MB in 6 s"

    @registry.task(
        id="sync-stock",
        every={"hours": 1},
        name="Synchronise stock",
        tags=["orders"],
        retry=Retry(max_retries=9, delay=50, backoff=1.2),
    )
    def sync_stock() -> None:
        """Synchronise the stock with the warehouse, which does not answer."""
        _work(0.3)
        raise TimeoutError("warehouse.example did not answer within 300 ms")

    @registry.task(id="rebuild-search", every={"seconds": 40}, name="Rebuild search index", tags=["search"])
    def rebuild_search() -> dict[str, int]:
        """Rebuild the search index, which takes most of the time between two slots."""
        _work(32)
        return {"documents": _wave(200, 48_000, 52_000)}

    @registry.task(id="clean-cache", every={"minutes": 1}, name="Clean cache", description="Paused during the sale")
    def clean_cache() -> int:
        return _wave(70, 0, 900)

    registry.pause("clean-cache")


def _add_dates(registry: TaskRegistry) -> None:
    now = datetime.now().replace(microsecond=0)
    calendar = {"cron": "0 6 1 * *"} if find_spec("cronsim") else {"at": "06:00", "on": "1"}

    @registry.task(
        id="morning-mail", at="09:00", on="mon-fri", timezone="Asia/Seoul", name="아침 메일", tags=["report"]
    )
    def morning_mail() -> str:
        """Send the numbers of yesterday to Seoul."""
        return "sent to 12 people"

    @registry.task(id="invoices", timezone="Europe/Berlin", name="Invoices", tags=["finance"], **calendar)  # type: ignore[arg-type]
    def invoices() -> str:
        """Write the invoices of the month."""
        return "418 invoices"

    @registry.task(
        id="tax-export",
        run_at=now - timedelta(minutes=2),
        depends_on=["close-books"],
        name="Tax export",
        tags=["finance"],
    )
    def tax_export() -> None:
        """Export the books, as soon as the task that closes them has run: nobody has registered it."""

    @registry.task(id="move-archive", run_at=now + timedelta(minutes=4), name="Move the archive", tags=["once"])
    def move_archive() -> str:
        """Move the archive, once."""
        _work(10)
        return "moved"

    @registry.task(id="recount", manual=True, name="Count the stock anew", tags=["orders"])
    def recount() -> int:
        """Count the stock, when somebody asks for it."""
        _work(3)
        return _wave(50, 9_000, 9_400)


def _work(seconds: float) -> None:
    """Take some time, or less if the demo ends."""
    ends.wait(seconds)


def _write(size: int) -> None:
    raise OSError(28, f"No space left on device, {size:,} bytes were to be written")


def _wave(period: float, low: int, high: int) -> int:
    """Return a number that goes up and down with the time, within a period of seconds."""
    return low + round((high - low) * (0.5 + 0.5 * math.sin(time.time() * 2 * math.pi / period)))
