"""A visit of a site in a browser, which notes whatever goes wrong in its pages."""

import re
from typing import Any
from urllib.parse import urlencode

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Response, expect

from tests.web.clients import MANAGE
from tests.web.page.browser.looks import Look

PATIENCE = 15_000  # milliseconds
expect.set_options(timeout=PATIENCE)
_TELL_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) => console.error(
  "the policy forbids", event.violatedDirective, event.blockedURI, event.sourceFile, event.lineNumber));
"""


class Watched:
    """A visit. Its `faults` are errors and warnings in the console, and requests that fail or leave the site."""

    def __init__(self, browser: Browser, url: str, look: Look, secret: str | None = MANAGE, **options: Any) -> None:
        width, height = look.size
        given: dict[str, Any] = {
            "reduced_motion": "reduce",  # a message that still fades in has too little contrast
            "viewport": {"width": width, "height": height},
            "color_scheme": look.colours,
            "locale": {"en": "en-GB", "ko": "ko-KR"}[look.language],
            "timezone_id": "Asia/Seoul",
            "has_touch": look.device == "phone",
        }
        self.look = look
        self.url = url if url.endswith("/") else url + "/"
        self.faults: list[str] = []
        self._expected: list[str] = []
        self._context = browser.new_context(**given | options)
        self._context.set_default_timeout(PATIENCE)
        self.page = self.new_tab()
        if secret is not None:
            self.go("?token=" + secret)

    def new_tab(self) -> Any:
        """Open another page of the same profile."""
        page = self._context.new_page()
        page.add_init_script(_TELL_VIOLATIONS)
        page.on("console", lambda said: self._note_console(said.type, said.text, said.location.get("url", "")))
        page.on("pageerror", lambda error: self._note(f"error: {error.stack or error}"))
        page.on("requestfailed", lambda request: self._note_failure(request.url, request.failure))
        page.on("request", lambda request: self._note_request(request.url))
        return page

    def close(self) -> None:
        """Leave the site."""
        self._context.close()

    # What there is to do.

    def go(self, path: str = "", **query: str) -> Response | None:
        """Open a page of the site."""
        found = self.page.goto(self.url + path + ("?" + urlencode(query) if query else ""))
        assert found is None or isinstance(found, Response)
        return found

    def words(self, text: str, **values: object) -> str:
        """Return a text of the page in the language of this visit."""
        return self.look.words(text, **values)

    def button(self, text: str, within: Locator | None = None) -> Locator:
        """Return the button with a text of the page."""
        found: Locator = (within or self.page).get_by_role("button", name=self.words(text), exact=True)
        return found

    def link(self, text: str) -> Locator:
        """Return the link with a text of the page."""
        found: Locator = self.page.get_by_role("link", name=self.words(text), exact=True)
        return found

    def row(self, task_id: str) -> Locator:
        """Return the row of a task in the list."""
        found: Locator = self.page.locator(f"#rows [data-id={quoted(task_id)}]").first
        return found

    def message(self, pattern: str) -> Locator:
        """Return the message in the corner that has this text."""
        found: Locator = self.page.locator("#messages .message").filter(has_text=re.compile(pattern)).first
        return found

    def pause_all(self) -> None:
        """Pause all tasks, by the button of the page and the one of the dialog that it opens."""
        self.page.locator("[data-pause-all=true]:visible").first.click()
        self.page.locator("dialog[open] [data-pause-all=true]").click()

    # What must hold on each page.

    def check_page(self) -> None:
        """Fail if the page scrolls sideways, or hinders people who cannot see or use it like others."""
        self.check_width()
        serious = self.serious()
        assert not serious, "\n".join([self.page.url, *serious])

    def check_width(self) -> None:
        """Fail if the page scrolls sideways."""
        self.page.wait_for_load_state()
        width, inside = self.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert width <= inside, f"{self.page.url} is {width - inside} pixels too wide: {self._widest()}"

    def serious(self) -> list[str]:
        """Return what axe finds on the page that is serious or critical."""
        found = Axe().run(self.page, options={"resultTypes": ["violations"], "preload": False}).response["violations"]
        return [
            f"{one['id']}: {node['target']} {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"][:5]
        ]

    def _widest(self) -> list[str]:
        """Return the elements that go beyond the right edge of the window."""
        found: list[str] = self.page.evaluate(
            "[...document.body.querySelectorAll('*')].filter(one => one.getBoundingClientRect().right > innerWidth + 1)"
            ".map(one => one.outerHTML.slice(0, 120)).slice(0, 5)"
        )
        return found

    def expect_faults(self, *patterns: str) -> None:
        """Let faults that match one of the patterns pass from now on: the browser tells them late."""
        self._expected += patterns

    # What the browser tells.

    def _note_console(self, kind: str, text: str, where: str) -> None:
        if kind in ("error", "warning"):
            self._note(f"{kind} in the console: {text} ({where})")

    def _note_failure(self, url: str, failure: str | None) -> None:
        if failure != "net::ERR_ABORTED":  # the page has been left meanwhile
            self._note(f"the request {url} failed: {failure}")

    def _note_request(self, url: str) -> None:
        if not url.startswith((self.url, "data:", "about:", "blob:")):
            self._note(f"a request left the site: {url}")

    def _note(self, fault: str) -> None:
        if not any(re.search(pattern, fault) for pattern in self._expected):
            self.faults.append(f"{self.look}: {fault}")


def quoted(text: str) -> str:
    """Return a text as a string of CSS."""
    return '"' + "".join(f"\\{ord(one):x} " for one in text) + '"'
