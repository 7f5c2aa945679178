"""The Korean texts of the timeline, by the English ones."""

TEXTS = {
    "Time range": "표시 범위",
    "Hour": "1시간",
    "Day": "하루",
    "Week": "일주일",
    "Move in time": "시간 이동",
    "Earlier": "이전",
    "Later": "이후",
    "Forecast": "예측",
    "By schedules": "일정 기준",
    "With dependencies": "의존 관계 포함",
    "Too many tasks for a forecast with dependencies: these are the slots of the schedules.": (
        "작업이 너무 많아 의존 관계를 예측할 수 없습니다. 일정에 따른 예정 시각을 표시합니다."
    ),
    "Other simulations are under way: these are the slots of the schedules, without dependencies.": (
        "다른 시뮬레이션이 진행 중입니다. 의존 관계 없이 일정에 따른 예정 시각을 표시합니다."
    ),
    "The forecast ends at %(at)s: there are too many runs to simulate more.": (
        "예측은 %(at)s까지입니다. 실행이 너무 많아 그 이후는 시뮬레이션하지 않았습니다."
    ),
    "The forecast ends here.": "예측은 여기까지입니다.",
    "%(num)s failure": "실패 %(num)s회",
    "and %(num)s more": "그 외 %(num)s개",
    "Failures from %(begin)s to %(end)s, and tasks that are late now.": (
        "%(begin)s부터 %(end)s까지의 실패와 현재 지연 중인 작업입니다."
    ),
    "Tasks shown": "표시할 작업",
    "Trouble only": "문제만",
    "the server's zone": "서버 시간대",
    "this browser's zone": "브라우저 시간대",
    "No task has failed in this time, and none is late.": "이 기간에 실패한 작업이 없고, 지연 중인 작업도 없습니다.",
    "Previous": "이전 페이지",
    "Next": "다음 페이지",
    "and %(count)s more task: search to narrow": "그 외 작업 %(count)s개: 검색으로 좁히기",
    "slot": "예정 시각",
    "many slots": "많은 예정 시각",
    "moved by the clock": "시계 변경으로 이동",
    "merged by the clock": "시계 변경으로 병합",
    "time comes twice, counts once": "두 번 오는 시각, 한 번만 실행",
    "%(num)s late": "지연 %(num)s건",
    "Trouble: %s": "문제: %s",
    "No trouble: nothing has failed, nothing is late": "문제 없음: 실패도 지연도 없습니다",
    "the clock skips its time on this date: it comes when the gap ends": (
        "이 날에는 없는 시각이라 시계가 넘어간 직후에 실행됩니다"
    ),
    "the clock skips the time of another slot: both come as one": "건너뛴 시각의 예정이 이 시각에 함께 실행됩니다",
    "the clock shows its time twice on this date: it counts once": "이 날에 두 번 오는 시각이며 한 번만 실행됩니다",
    "more than %(num)s slots": "예정 %(num)s회 이상",
    "%(num)s slot": "예정 %(num)s회",
    "runs not shown": "표시되지 않는 실행",
    "runs before %(at)s: only the latest %(num)s are shown": "%(at)s 이전 실행: 최근 %(num)s회만 표시",
    "runs before %(at)s are not kept (history_limit: %(num)s)": (
        "%(at)s 이전 실행은 보관되지 않음 (history_limit: %(num)s)"
    ),
    "next at %s": "다음 %s",
    "The clock goes forward by %(shift)s, to %(wall)s.": "시계가 %(shift)s 앞당겨져 %(wall)s이 됩니다.",
    "The clock goes back by %(shift)s, to %(wall)s.": "시계가 %(shift)s 늦춰져 %(wall)s이 됩니다.",
}
