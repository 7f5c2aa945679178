"""The Korean texts of the templates, by the English ones."""

from collections.abc import Mapping

KOREAN: Mapping[str, str] = {
    "Tasks": "작업",
    # Names of statuses
    "pending": "대기",
    "running": "실행 중",
    "success": "성공",
    "failed": "실패",
    "paused": "일시 중지",
    "retrying": "재시도 대기",
    "late": "지연",
}
