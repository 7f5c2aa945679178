"""A written history with one live instance, for each test."""

import pytest

from tests.chaos.history import History


@pytest.fixture
def history() -> History:
    return History().lives()
