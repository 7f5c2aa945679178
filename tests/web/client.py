"""A client of an application in this process, for tests."""

import asyncio
from typing import Any

import httpx

from est_alan_scheduler import TaskRegistry
from est_alan_scheduler.web import Role, create_app
from tests.web.clients import MANAGE, READ, TOKEN, bearer


class Client:
    """A client of the API of a registry, with a role of its own, or none."""

    def __init__(self, registry: TaskRegistry, role: Role | None = Role.MANAGE, **options: Any) -> None:
        self._app = create_app(registry, auth=TOKEN, **options)
        self._headers = {None: {}, Role.READ: bearer(READ), Role.MANAGE: bearer(MANAGE)}[role]

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost/api", headers=self._headers
            ) as client:
                return await client.request(method, path, **options)

        return asyncio.run(ask())

    def get(self, path: str, **query: Any) -> Any:
        """Return the JSON of an answer that has to be a good one."""
        response = self.request("GET", path, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    def refused(self, path: str, **query: Any) -> tuple[int, str]:
        """Return the status and the detail of a problem."""
        response = self.request("GET", path, params=query)
        assert response.headers["content-type"] == "application/problem+json"
        return response.status_code, response.json()["detail"]
