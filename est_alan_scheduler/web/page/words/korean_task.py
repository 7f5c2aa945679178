"""The Korean texts of the page of a task, by the English ones."""

TEXTS = {
    "Run now": "지금 실행",
    "Resume": "재개",
    "Pause": "일시 중지",
    "Remove": "삭제",
    "Id": "ID",
    "It is running": "실행 중입니다",
    "Why it is not running now": "지금 실행되지 않는 이유",
    "Next run": "다음 실행",
    "This browser": "이 브라우저",
    "No run is planned.": "예정된 실행이 없습니다.",
    "Last outcome": "마지막 결과",
    "Next slots": "다음 예정 시각",
    "Dependencies and dependents": "의존 관계",
    "Dependencies as a graph": "의존 관계 그래프",
    "It has no dependencies and no dependents.": ("다른 작업을 기다리지 않으며, 이 작업을 기다리는 작업도 없습니다."),
    "Each task waits for those to its left.": "각 작업은 왼쪽에 이어진 작업을 기다립니다.",
    "A dashed line means: each new success lets the next task run.": (
        "점선으로 이어진 작업은 앞 작업이 새로 성공할 때마다 실행됩니다."
    ),
    "not registered": "등록되지 않음",
    "more": "더 있음",
    "Definition": "정의",
    "Traceback": "트레이스백",
    "The traceback is not here. See the log of the instance %(owner)s, which made this run.": (
        "트레이스백이 여기에 없습니다. 인스턴스 %(owner)s에서 실행되었으므로 그 로그에 있습니다."
    ),
    "The traceback is no longer here. See the log.": "트레이스백이 더 이상 여기에 없습니다. 로그에 있습니다.",
    "A failed run without a traceback is one of another instance, or too old. See the log of its owner.": (
        "트레이스백이 없는 실패는 다른 인스턴스의 것이거나 오래된 것입니다. 소유자의 로그에 있습니다."
    ),
    "This process keeps the tracebacks of its latest runs. For others, see the log.": (
        "트레이스백이 없는 실패는 로그에서 확인할 수 있습니다. 이 프로세스는 최근 실행의 트레이스백만 보관합니다."
    ),
    "It has never run.": "아직 실행된 적이 없습니다.",
    "A run is requested; it does not wait for dependencies.": "실행이 요청되었습니다. 의존 작업을 기다리지 않습니다.",
    "A run is requested.": "실행이 요청되었습니다.",
    "Result": "반환값",
    "hidden": "숨김",
    "Attempt": "시도",
    "%(attempt)s of %(most)s": "%(most)s회 중 %(attempt)s회",
    "Last run": "마지막 실행",
    "Last success": "마지막 성공",
    "First run": "첫 실행",
    "Runs": "실행 기록",
    "Failures in a row": "연속 실패",
    "the latest:": "최근:",
    "All tasks are paused: none of these runs starts until they are resumed.": (
        "모든 작업이 일시 중지되어 재개하기 전에는 시작하지 않습니다."
    ),
    "moved": "이동",
    "merged": "합침",
    "repeated": "반복",
    "The clock skips this time on that date: the run starts when the gap ends.": (
        "그날은 시계가 이 시각을 건너뛰므로, 건너뛴 구간이 끝날 때 실행됩니다."
    ),
    "The clock skips the time of another slot: both become one run.": (
        "시계가 건너뛰는 구간에 다른 예정 시각이 있어, 둘이 한 번에 실행됩니다."
    ),
    "The clock shows this time twice on that date: it counts once.": (
        "그날은 시계가 이 시각을 두 번 가리키지만 한 번만 실행됩니다."
    ),
    "It has no slots: it runs only on request.": "예정 시각이 없습니다. 직접 실행할 때만 실행됩니다.",
    "It has no slots of its own: it runs after other tasks have succeeded.": (
        "자체 예정 시각이 없습니다. 다른 작업이 성공한 뒤에 실행됩니다."
    ),
    "Runs by outcome": "결과별 실행",
    "All": "전체",
    "No run has this outcome.": "이 결과의 실행이 없습니다.",
    "There are no runs yet.": "아직 실행 기록이 없습니다.",
    "There are no older runs.": "더 오래된 실행이 없습니다.",
    "Pages of runs": "실행 기록 페이지",
    "Newest runs": "최신 실행",
    "Older runs": "이전 실행",
    "Outcome": "결과",
    "Started": "시작",
    "Lateness": "지연",
    "Duration": "소요 시간",
    "Epoch": "에포크",
    "Number": "번호",
    "Owner": "소유자",
    "Result or error": "반환값 또는 오류",
    "lost": "유실",
    "Due since": "실행 예정이던 시각",
    "Its slots count from its first run.": "예정 시각은 첫 실행을 기준으로 정해집니다.",
    "Its run is lost": "실행이 유실됨",
    "The lease of its instance, %(owner)s, has expired, or the instance has left.": (
        "실행하던 인스턴스 %(owner)s의 임대가 만료되었거나 인스턴스가 종료했습니다."
    ),
    "The run is soon recorded as failed.": "실행은 곧 실패로 기록됩니다.",
    "The run is recorded as failed once an instance is alive again.": (
        "실행은 활성 인스턴스가 생긴 뒤 실패로 기록됩니다."
    ),
    "Its instance is no longer alive.": "실행하던 인스턴스가 더는 활성 상태가 아닙니다.",
    "too late": "늦게 끝남",
    "Its instance died or could not renew its lease: the run was recorded as failed.": (
        "인스턴스가 종료되었거나 임대를 갱신하지 못해 실행이 실패로 기록되었습니다."
    ),
    "Its outcome came after the run had been recorded as failed, and changed nothing.": (
        "실행이 실패로 기록된 뒤에 결과가 도착하여 아무것도 바꾸지 않았습니다."
    ),
    "differs from the code": "코드와 다름",
    "Runs so far": "실행 횟수",
    "no: this process only shows and manages tasks, other instances run them": (
        "아니요: 이 프로세스는 작업을 보여 주고 관리하기만 하며, 다른 인스턴스가 실행합니다"
    ),
    "Runs here": "여기서 실행",
    "no: its function is unknown in this process, other instances run it": (
        "아니요: 이 프로세스가 함수를 알지 못하므로 다른 인스턴스가 실행합니다"
    ),
    "Version": "버전",
    "Fields not shown have their default values.": "표시되지 않은 필드는 기본값입니다.",
}
