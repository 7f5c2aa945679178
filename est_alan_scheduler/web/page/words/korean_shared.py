"""The Korean texts of all pages, by the English ones."""

TEXTS = {
    "Tasks": "작업",
    "Skip to content": "본문으로 건너뛰기",
    "Pages": "페이지",
    "Breadcrumb": "현재 위치",
    "Timeline": "타임라인",
    "Instances": "인스턴스",
    "Language and colours": "언어와 색상",
    "System colours": "시스템 색상",
    "Light": "밝게",
    "Dark": "어둡게",
    "Keys": "단축키",
    "%(num)s failed": "실패 %(num)s건",
    "%(num)s run": "실행 %(num)s회",
    "All tasks": "모든 작업",
    "First page": "첫 페이지",
    "No task matches.": "조건에 맞는 작업이 없습니다.",
    "Now": "현재",
    "Pages of tasks": "작업 목록 페이지",
    "Search tasks": "작업 검색",
    "Tag": "태그",
    "There are no more tasks.": "더 이상 작업이 없습니다.",
    "All tasks are paused.": "모든 작업이 일시 중지되었습니다.",
    "Nothing starts until they are resumed.": "재개할 때까지 아무 작업도 시작되지 않습니다.",
    "Resume all": "모두 재개",
    "Pause all": "모두 일시 중지",
    "Pause all tasks?": "모든 작업을 일시 중지할까요?",
    "Nothing starts on any instance until they are resumed. Runs in flight go on to their end.": (
        "재개할 때까지 어떤 인스턴스에서도 작업이 시작되지 않습니다. 진행 중인 실행은 끝까지 수행됩니다."
    ),
    "No instance is alive.": "활성 인스턴스가 없습니다.",
    "Nothing runs the tasks until one is started.": "인스턴스가 시작될 때까지 아무 작업도 실행되지 않습니다.",
    "The store is out of reach.": "저장소에 연결할 수 없습니다.",
    "The store does not answer.": "저장소가 응답하지 않습니다.",
    "This page may be out of date, and nothing starts until the store is back.": (
        "표시된 내용이 최신이 아닐 수 있으며, 다시 연결될 때까지 아무 작업도 시작되지 않습니다."
    ),
    "There are no tasks yet.": "아직 작업이 없습니다.",
    "No slots to come.": "다음 예정이 없습니다.",
    "Times in %(zone)s": "%(zone)s 기준 시각",
    "The task is paused: none of these runs starts until it is resumed.": (
        "작업이 일시 중지되어 재개할 때까지 실행되지 않습니다."
    ),
    "The runs cannot be read: the store is out of reach.": "저장소에 연결할 수 없어 실행 기록을 읽을 수 없습니다.",
    "Search": "검색",
    "Next and previous row": "다음 행, 이전 행",
    "Open the row": "행 열기",
    "Select the row": "행 선택",
    "Misfires": "건너뛴 예정 시각",
    "Run the task now": "작업 지금 실행",
    "Pause or resume the task": "작업 일시 중지 또는 재개",
    "Show these keys": "이 단축키 목록 표시",
    "Close, or leave the field": "닫기 또는 입력란에서 나가기",
    "Close": "닫기",
    "The connection is lost. This page may be out of date.": (
        "연결이 끊어졌습니다. 표시된 내용이 최신이 아닐 수 있습니다."
    ),
    "This page is not refreshed now: the server does not answer.": (
        "서버가 응답하지 않아 이 페이지가 갱신되지 않고 있습니다."
    ),
    "Connected again. This page is up to date.": "다시 연결되었습니다. 모두 최신 상태입니다.",
    "That did not work: {reason}": "실패했습니다: {reason}",
    "Live": "실시간",
    "No live updates: too many pages are open. This one refreshes every 10 seconds.": (
        "실시간 갱신 없음: 열린 페이지가 너무 많습니다. 이 페이지는 10초마다 갱신됩니다."
    ),
    "This page cannot be refreshed: {reason}": "페이지를 갱신할 수 없습니다: {reason}",
    "Your session has ended. Reload the page to sign in.": (
        "세션이 만료되었습니다. 페이지를 다시 불러와 로그인하십시오."
    ),
    "Close the message": "메시지 닫기",
    "now": "지금",
    "for {duration}": "{duration}째",
    "All tasks are resumed.": "모든 작업이 재개되었습니다.",
    "{name}: requested": "{name}: 실행 요청됨",
    "{name}: running": "{name}: 실행 중",
    "{name}: requested; it starts after the run in flight": "{name}: 실행 요청됨. 진행 중인 실행이 끝나면 시작합니다",
    "{name}: running, attempt {attempt} of {attempts}": "{name}: 실행 중, {attempts}회 중 {attempt}회째 시도",
    "{name}: failed, attempt {attempt} of {attempts}: {error}. Next attempt:": (
        "{name}: {attempts}회 중 {attempt}회째 시도 실패: {error}. 다음 시도:"
    ),
    "{name}: failed, attempt {attempt} of {attempts}, after {duration}: {error}": (
        "{name}: {attempts}회 중 {attempt}회째 시도가 {duration} 만에 실패: {error}"
    ),
    "{name}: succeeded": "{name}: 성공",
    "{name}: failed: {error}": "{name}: 실패: {error}",
    "{name}: ended. Its outcome is no longer kept.": "{name}: 끝났습니다. 결과는 더 이상 보관되지 않습니다.",
    "{name}: succeeded in {duration}": "{name}: {duration} 만에 성공",
    "{name}: failed after {duration}: {error}": "{name}: {duration} 만에 실패: {error}",
    "{name}: the task has been removed": "{name}: 작업이 삭제되었습니다",
    "{name}: not finished after 10 minutes. The page keeps showing its status.": (
        "{name}: 10분이 지나도 끝나지 않았습니다. 상태는 페이지에 계속 표시됩니다."
    ),
    "{all} requested, {success} succeeded, {failed} failed, {open} to come": (
        "요청 {all}건: 성공 {success}, 실패 {failed}, 남음 {open}"
    ),
    "{all} requested, {success} succeeded, {failed} failed; {gone} removed, {open} with no outcome here": (
        "요청 {all}건: 성공 {success}, 실패 {failed}, 삭제 {gone}, 결과 미확인 {open}"
    ),
    "{all} requested, {success} succeeded, {failed} failed": "요청 {all}건: 성공 {success}, 실패 {failed}",
    "The API": "API",
    "Sign in": "로그인",
    "This site asks for a token. The program that serves it has printed one.": (
        "이 사이트에는 토큰이 필요합니다. 토큰은 사이트를 제공하는 프로그램이 출력했습니다."
    ),
    "The token is wrong.": "토큰이 올바르지 않습니다.",
    "Token": "토큰",
    "Bad Request": "잘못된 요청",
    "Unauthorized": "인증 필요",
    "Forbidden": "권한 없음",
    "Not Found": "찾을 수 없음",
    "Method Not Allowed": "허용되지 않는 방식",
    "Unprocessable Content": "처리할 수 없는 값",
    "Internal Server Error": "서버 오류",
    "Service Unavailable": "서비스를 이용할 수 없음",
    "pending": "대기",
    "running": "실행 중",
    "success": "성공",
    "failed": "실패",
    "paused": "일시 중지",
    "retrying": "재시도 대기",
    "late": "지연",
    "Mon Tue Wed Thu Fri Sat Sun": "월 화 수 목 금 토 일",
    "%s ms": "%s ms",
    "%s s": "%s초",
    "%s min": "%s분",
    "%s h": "%s시간",
    "%s d": "%s일",
}
