"""Clients of the application, for tests."""

from typing import TYPE_CHECKING, Any

from est_alan_scheduler import TaskRegistry
from est_alan_scheduler.web import Token, create_app

if TYPE_CHECKING:
    from starlette.testclient import TestClient

MANAGE, READ = "the-secret-of-managers", "the-secret-of-readers"
TOKEN = Token(MANAGE, read=READ)


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def client(registry: TaskRegistry, secret: str = MANAGE, **options: Any) -> "TestClient":
    """Return a client that calls the application of a registry as a program does, by default as a manager."""
    from starlette.testclient import TestClient

    app = create_app(registry, **({"auth": TOKEN} | options))
    return TestClient(app, "http://localhost", headers=bearer(secret))
