"""The Korean texts of the editor of a task, by the English ones."""

TEXTS = {
    "Edit %(name)s": "%(name)s 편집",
    "Edit": "편집",
    "Editing needs JavaScript, which is off in this browser. The fields show the current values.": (
        "편집하려면 JavaScript가 필요하지만 이 브라우저에서는 꺼져 있습니다. 각 항목에는 현재 값이 표시됩니다."
    ),
    "Schedule": "일정",
    "Interval": "간격",
    "Times of day": "시각",
    "Cron": "Cron",
    "Once": "한 번",
    "After tasks": "작업 후",
    "By hand": "수동",
    "This task has no schedule, or more than one, so it never runs. Choose one.": (
        "이 작업은 일정이 없거나 둘 이상이어서 실행되지 않습니다. 하나를 선택하십시오."
    ),
    "The sum of these, in elapsed time, also when the clock changes.": (
        "입력한 값의 합계이며, 시계가 바뀌어도 실제 경과 시간으로 셉니다."
    ),
    "One time or more, on a 24-hour clock: 09:00, 14:30:15.": ("하나 또는 여러 시각: 09:00, 14:30:15. 24시간제입니다."),
    "mon-fri · 1,15 · last fri · wed 2-8 · 1 jan,jul. Empty: every day.": (
        "mon-fri · 1,15 · last fri · wed 2-8 · 1 jan,jul. 비우면 매일입니다."
    ),
    "Minute, hour, day, month, weekday: */15 9-17 * * mon-fri. With six fields, seconds come first. Also @daily.": (
        "분, 시, 일, 월, 요일 순서입니다. 예: */15 9-17 * * mon-fri. 여섯 항목이면 맨 앞이 초입니다. @daily도 됩니다."
    ),
    "A moment in the past runs at once.": "과거의 시점이면 바로 실행됩니다.",
    "Ids of tasks, one per line. It runs as soon as each of them has succeeded again.": (
        "작업 ID를 한 줄에 하나씩 적습니다. 모두 새로 성공하면 바로 실행됩니다."
    ),
    "It runs only on request.": "실행을 요청할 때만 실행됩니다.",
    "Asia/Seoul or +09:00. Empty: the time zone of the server.": "Asia/Seoul 또는 +09:00. 비우면 서버의 시간대입니다.",
    "No slots on these dates, one per line: 2026-12-25.": (
        "한 줄에 하나씩, 예: 2026-12-25. 이 날짜에는 실행하지 않습니다."
    ),
    "No slot before this moment. An interval starts at it.": (
        "이 시점 전에는 실행하지 않습니다. 간격은 이 시점부터 셉니다."
    ),
    "No slot after this moment.": "이 시점 후에는 실행하지 않습니다.",
    "Each slot is delayed by up to this much.": "예정 시각이 최대 이만큼 늦춰집니다.",
    "seconds": "초",
    "A slot that is later than this is a misfire: it is skipped. Empty: one run makes up for all missed slots.": (
        "이보다 늦은 예정 시각은 건너뜁니다. 비우면 놓친 예정 시각을 한 번의 실행으로 대신합니다."
    ),
    "Otherwise the first run waits for the next slot.": "끄면 첫 실행은 다음 예정 시각을 기다립니다.",
    "Limits": "제한",
    "After that, no slot is due. Retries do not count.": (
        "그 후에는 예정이 없습니다. 재시도는 같은 실행에 포함됩니다."
    ),
    "runs": "회",
    "A run that takes longer fails.": "더 오래 걸리는 실행은 실패로 처리됩니다.",
    "No slot and no retry is due until it is resumed.": "재개할 때까지 예정 실행도 재시도도 없습니다.",
    "Retry": "재시도",
    "Besides the first attempt.": "첫 시도는 세지 않습니다.",
    "retries": "회",
    "times": "배",
    "From the failure to the first retry.": "실패한 때부터 첫 재시도까지입니다.",
    "Each delay is this many times the previous one.": "대기 시간이 매번 이 배수만큼 늘어납니다.",
    "The delay never grows beyond this.": "여기까지만 늘어납니다.",
    "From 0 to 1: 0.1 lengthens a delay by up to 10 %%.": "0에서 1까지: 0.1이면 대기 시간이 최대 10 %% 길어집니다.",
    "of the delay": "배",
    "Classes, one per line: builtins:OSError.": "예외 클래스를 한 줄에 하나씩 적습니다. 예: builtins:OSError.",
    "Dependencies": "의존 관계",
    "Ids of tasks that must succeed first, one per line.": "먼저 성공해야 하는 작업의 ID를 한 줄에 하나씩 적습니다.",
    "any success, once": "한 번이라도 성공",
    "a new success before each run": "실행 때마다 새로운 성공",
    "About": "정보",
    "Empty: the name of its function.": "비우면 함수 이름을 씁니다.",
    "One per line.": "한 줄에 하나씩 적습니다.",
    "Save": "저장",
    "Cancel": "취소",
    "Nothing has changed yet.": "아직 바뀐 것이 없습니다.",
    "Preview": "미리 보기",
    "Somebody else has changed this task": "그사이 다른 사용자가 이 작업을 바꿨습니다",
    "Your changes are not saved yet. These are the differences:": (
        "변경 내용은 아직 저장되지 않았습니다. 다른 점은 다음과 같습니다."
    ),
    "Field": "항목",
    "When you started": "편집을 시작할 때",
    "Theirs": "현재 (다른 사용자)",
    "Yours": "내 변경",
    "Apply my changes to the new version": "새 버전에 내 변경 적용",
    "Discard my changes and reload": "내 변경을 버리고 새로 고침",
    "Applying saves nothing: you see the preview first. Where both of you have changed a field, yours counts.": (
        "적용해도 미리 보기를 확인하고 저장하기 전에는 저장되지 않습니다. 같은 항목을 둘 다 바꿨으면 내 "
        "변경을 따릅니다."
    ),
    "%(label)s: offset": "%(label)s: UTC 오프셋",
    "With an offset such as +09:00, otherwise in the time zone of the task.": (
        "+09:00처럼 오프셋을 적지 않으면 작업의 시간대를 따릅니다."
    ),
    "Kind of schedule": "일정 종류",
    "Dates": "날짜",
    "Cron expression": "Cron 표현식",
    "Moment": "시점",
    "After these tasks": "다음 작업 후",
    "By hand only": "수동 실행만",
    "Time zone": "시간대",
    "Not before": "시작",
    "Not after": "종료",
    "Excluded dates": "제외 날짜",
    "Jitter": "지터",
    "Misfire grace": "허용 지연 시간",
    "Run at once for slots missed before registration": "등록 전에 놓친 예정 시각을 바로 실행",
    "Maximum runs": "최대 실행 횟수",
    "Remove the task after its last run": "더 실행되지 않으면 작업 삭제",
    "Timeout": "제한 시간",
    "Retry a failed run": "실패한 실행 재시도",
    "Which success counts": "인정하는 성공",
    "Name": "이름",
    "Description": "설명",
    "Tags": "태그",
    "Paused": "일시 중지",
    "Maximum retries": "최대 재시도 횟수",
    "First delay": "첫 대기 시간",
    "Factor of the delay": "대기 시간 증가",
    "Longest delay": "최대 대기 시간",
    "Jitter of the delay": "대기 시간 지터",
    "Errors to retry": "재시도할 오류",
    "weeks": "주",
    "days": "일",
    "hours": "시간",
    "minutes": "분",
    "milliseconds": "밀리초",
    "microseconds": "마이크로초",
    "moved: the clock skips its time": "이동: 시계가 이 시각을 건너뜁니다",
    "merged: the clock skips the time of another slot": "합침: 시계가 다른 예정의 시각을 건너뜁니다",
    "once only: the clock shows this time twice": "한 번만: 시계가 이 시각을 두 번 가리킵니다",
    "Now and after saving": "현재와 저장 후",
    "After saving": "저장 후",
    "Changes": "바뀌는 항목",
    "none": "없음",
    "Saved.": "저장했습니다.",
    "Saving…": "저장하는 중…",
    "Not saved.": "저장되지 않았습니다.",
    "Resolve the conflict first.": "먼저 무엇을 따를지 결정하십시오.",
    "Errors: {count}. The preview shows the last valid values.": "고쳐야 할 곳: {count}. 미리 보기는 그 전의 것입니다.",
    "No preview is available.": "지금은 미리 볼 수 없습니다.",
    "no": "아니요",
    "Preview: {schedule}": "미리 보기: {schedule}",
    "yes": "예",
    "unchanged": "바꾸지 않음",
    "This form has none of the fields that others have changed.": (
        "다른 사용자가 바꾼 것은 이 양식에 없는 항목입니다."
    ),
    "Somebody else has changed or removed this task, and it cannot be loaded now. Try again.": (
        "그사이 다른 사용자가 이 작업을 바꾸거나 삭제했는데, 지금은 가져올 수 없습니다. 다시 시도하십시오."
    ),
    "Somebody else has changed this task. You will see the differences when you save.": (
        "그사이 다른 사용자가 이 작업을 바꿨습니다. 저장할 때 다른 점을 보여 줍니다."
    ),
    "Somebody else has changed this task. Reload the page to see it.": (
        "그사이 다른 사용자가 이 작업을 바꿨습니다. 페이지를 새로 고치면 볼 수 있습니다."
    ),
    "The server cannot be reached.": "서버에 연결할 수 없습니다.",
    "Enter a value.": "값이 필요합니다.",
    "Choose a kind of schedule.": "일정 종류를 선택하십시오.",
}
