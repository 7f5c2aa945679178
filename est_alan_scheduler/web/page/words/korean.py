"""The Korean texts of the templates, by the English ones. Each screen has a file of its own."""

from collections.abc import Mapping

from est_alan_scheduler.web.page.words import (
    korean_editor,
    korean_instances,
    korean_shared,
    korean_task,
    korean_tasks,
    korean_timeline,
)

KOREAN: Mapping[str, str] = (
    korean_shared.TEXTS
    | korean_editor.TEXTS
    | korean_instances.TEXTS
    | korean_task.TEXTS
    | korean_tasks.TEXTS
    | korean_timeline.TEXTS
)
