"""The Korean texts of the templates, by the English ones."""

from collections.abc import Mapping

KOREAN: Mapping[str, str] = {
    "Tasks": "작업",
    # The editor of a task.
    "Edit %(name)s": "%(name)s 편집",
    "Edit": "편집",
    "Editing needs JavaScript, which is off in this browser. The fields show the present values.": (
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
    "The sum of what is given, counted in elapsed time, also when the clock changes.": (
        "입력한 값의 합계이며, 시계가 바뀌어도 실제 경과 시간으로 셉니다."
    ),
    "One time or several: 09:00, 14:30:15. The clock has 24 hours.": (
        "하나 또는 여러 시각: 09:00, 14:30:15. 24시간제입니다."
    ),
    "mon-fri · 1,15 · last fri · wed 2-8 · 1 jan,jul. Empty: every day.": (
        "mon-fri · 1,15 · last fri · wed 2-8 · 1 jan,jul. 비우면 매일입니다."
    ),
    "Minute, hour, day, month, weekday, as in */15 9-17 * * mon-fri; six fields have the seconds first; @daily.": (
        "분, 시, 일, 월, 요일 순서입니다. 예: */15 9-17 * * mon-fri. 여섯 항목이면 맨 앞이 초입니다. @daily도 됩니다."
    ),
    "One in the past runs at once.": "과거의 시점이면 바로 실행됩니다.",
    "Ids of tasks, one a line. It runs as soon as each of them has succeeded anew.": (
        "작업 ID를 한 줄에 하나씩 적습니다. 모두 새로 성공하면 바로 실행됩니다."
    ),
    "It runs only when somebody asks for a run.": "실행을 요청할 때만 실행됩니다.",
    "Asia/Seoul or +09:00. Empty: that of the server.": "Asia/Seoul 또는 +09:00. 비우면 서버의 시간대입니다.",
    "One a line, as in 2026-12-25. No slots on these dates.": (
        "한 줄에 하나씩, 예: 2026-12-25. 이 날짜에는 실행하지 않습니다."
    ),
    "No slot before it. An interval begins with it.": "이 시점 전에는 실행하지 않습니다. 간격은 이 시점부터 셉니다.",
    "No slot after it.": "이 시점 후에는 실행하지 않습니다.",
    "A slot is delayed by up to that much.": "예정 시각이 최대 이만큼 늦춰집니다.",
    "seconds": "초",
    "A slot that is later than that is skipped. Empty: one run makes up for all.": (
        "이보다 늦은 예정은 건너뜁니다. 비우면 놓친 예정을 한 번의 실행으로 대신합니다."
    ),
    "Otherwise the first run waits for its next slot.": "끄면 첫 실행은 다음 예정 시각을 기다립니다.",
    "Limits": "제한",
    "Afterwards no slot is due. Retries belong to their run.": (
        "그 후에는 예정이 없습니다. 재시도는 같은 실행에 포함됩니다."
    ),
    "runs": "회",
    "A run that takes longer fails.": "더 오래 걸리는 실행은 실패로 처리됩니다.",
    "No slot and no retry is due until it is resumed.": "다시 시작할 때까지 예정 실행도 재시도도 없습니다.",
    "Retry": "재시도",
    "Beside the first attempt.": "첫 시도는 세지 않습니다.",
    "retries": "회",
    "times": "배",
    "From a failure until the first retry.": "실패한 때부터 첫 재시도까지입니다.",
    "Each delay is that many times the one before.": "대기 시간이 매번 이 배수만큼 늘어납니다.",
    "Up to which it grows.": "여기까지만 늘어납니다.",
    "From 0 to 1: 0.1 lengthens a delay by up to 10 %%.": "0에서 1까지: 0.1이면 대기 시간이 최대 10 %% 길어집니다.",
    "of the delay": "배",
    "Classes, one a line, as in builtins:OSError.": "예외 클래스를 한 줄에 하나씩 적습니다. 예: builtins:OSError.",
    "Dependencies": "선행 작업",
    "Ids of tasks, one a line, that have to succeed first.": "먼저 성공해야 하는 작업의 ID를 한 줄에 하나씩 적습니다.",
    "any success, once": "한 번이라도 성공",
    "a new one before each run": "실행 때마다 새로운 성공",
    "About": "정보",
    "Empty: the name of its function.": "비우면 함수 이름을 씁니다.",
    "One a line.": "한 줄에 하나씩 적습니다.",
    "Save": "저장",
    "Cancel": "취소",
    "Nothing has changed yet.": "아직 바뀐 것이 없습니다.",
    "Preview": "미리 보기",
    "The next slots, as the form has them.": "입력한 내용에 따른 다음 예정 시각입니다.",
    "Somebody has changed this task meanwhile": "그사이 다른 사용자가 이 작업을 바꿨습니다",
    "Nothing of yours is saved yet. This is what differs:": (
        "변경 내용은 아직 저장되지 않았습니다. 다른 점은 다음과 같습니다."
    ),
    "Field": "항목",
    "When you began": "편집을 시작할 때",
    "Now, by others": "현재 (다른 사용자)",
    "Yours": "내 변경",
    "Put my changes onto the new version": "새 버전에 내 변경 적용",
    "Drop my changes and reload": "내 변경을 버리고 새로 고침",
    (
        "With the first, nothing is saved before you have seen the preview. Where both of you have changed a "
        "field, yours counts."
    ): (
        "적용해도 미리 보기를 확인하고 저장하기 전에는 저장되지 않습니다. 같은 항목을 둘 다 바꿨으면 내 "
        "변경을 따릅니다."
    ),
    "%(label)s: offset": "%(label)s: UTC 오프셋",
    "With an offset such as +09:00, or else in the time zone of the task.": (
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
    "Dates left out": "제외 날짜",
    "Jitter": "지터",
    "Misfire grace": "지각 허용 시간",
    "Run at once for what was missed before it was registered": "등록 전에 놓친 예정을 바로 실행",
    "Runs at most": "최대 실행 횟수",
    "Remove the task when it never runs again": "더 실행되지 않으면 작업 삭제",
    "Timeout": "제한 시간",
    "Retry a failed run": "실패한 실행 재시도",
    "Success that counts": "인정하는 성공",
    "Name": "이름",
    "Description": "설명",
    "Tags": "태그",
    "Paused": "일시 중지",
    "Retries at most": "최대 재시도 횟수",
    "First delay": "첫 대기 시간",
    "Growth of the delay": "대기 시간 증가",
    "Longest delay": "최대 대기 시간",
    "Jitter of the delay": "대기 시간 지터",
    "Errors that are retried": "재시도할 오류",
    "weeks": "주",
    "days": "일",
    "hours": "시간",
    "minutes": "분",
    "milliseconds": "밀리초",
    "microseconds": "마이크로초",
    "moved: the clock skips its time": "이동: 시계가 이 시각을 건너뜁니다",
    "two in one: the clock skips the time of another": "합침: 시계가 다른 예정의 시각을 건너뜁니다",
    "once only: the clock shows this time twice": "한 번만: 시계가 이 시각을 두 번 가리킵니다",
    "No slots to come.": "다음 예정이 없습니다.",
    "Times in %(zone)s": "%(zone)s 기준 시각",
    "The task is paused: none of these runs starts until it is resumed.": (
        "작업이 일시 중지되어 있어, 다시 시작할 때까지 실행되지 않습니다."
    ),
    "Now and after saving": "현재와 저장 후",
    "Now": "현재",
    "After saving": "저장 후",
    "What changes": "바뀌는 항목",
    "none": "없음",
    "Saved.": "저장했습니다.",
    "Saving…": "저장하는 중…",
    "It was not saved.": "저장되지 않았습니다.",
    "Decide first what counts.": "먼저 무엇을 따를지 결정하십시오.",
    "To be corrected: {count}": "고쳐야 할 곳: {count}",
    "Preview: {schedule}": "미리 보기: {schedule}",
    "yes": "예",
    "not touched": "바꾸지 않음",
    "Nothing in this form differs: what was changed is not among its fields.": (
        "이 양식에는 다른 점이 없습니다. 바뀐 것은 여기에 없는 항목입니다."
    ),
    "Somebody has changed or removed this task meanwhile, and it cannot be fetched now. Try again.": (
        "그사이 다른 사용자가 이 작업을 바꾸거나 삭제했는데, 지금은 가져올 수 없습니다. 다시 시도하십시오."
    ),
    "Somebody has changed this task meanwhile. When you save, you will see what differs.": (
        "그사이 다른 사용자가 이 작업을 바꿨습니다. 저장할 때 다른 점을 보여 줍니다."
    ),
    "Somebody has changed this task meanwhile. Reload the page to see it.": (
        "그사이 다른 사용자가 이 작업을 바꿨습니다. 페이지를 새로 고치면 볼 수 있습니다."
    ),
    "The server cannot be reached.": "서버에 연결할 수 없습니다.",
    "A value is needed here.": "값이 필요합니다.",
    "Choose a kind of schedule.": "일정 종류를 선택하십시오.",
    # What all pages share: connection, keys, messages, pause of all
    "Skip to the content": "본문으로 건너뛰기",
    "Pages": "페이지",
    "Timeline": "타임라인",
    "Instances": "인스턴스",
    "Language and colours": "언어와 색상",
    "System colours": "시스템 색상",
    "Light": "밝게",
    "Dark": "어둡게",
    "Keys": "단축키",
    "All tasks are paused.": "모든 작업이 일시 중지되었습니다.",
    "Nothing starts until they are resumed.": "재개할 때까지 아무 작업도 시작되지 않습니다.",
    "Resume all": "모두 재개",
    "Pause all": "모두 일시 중지",
    "Pause all tasks?": "모든 작업을 일시 중지할까요?",
    "Nothing starts until they are resumed, on any instance. Runs that go on come to their end.": (
        "재개할 때까지 어떤 인스턴스에서도 작업이 시작되지 않습니다. 진행 중인 실행은 끝까지 수행됩니다."
    ),
    "The store is out of reach.": "저장소에 연결할 수 없습니다.",
    "What you see may be old, and nothing starts until it is back.": (
        "표시된 내용이 최신이 아닐 수 있으며, 다시 연결될 때까지 아무 작업도 시작되지 않습니다."
    ),
    "Search": "검색",
    "Next and previous row": "다음 행, 이전 행",
    "Open the row": "행 열기",
    "Choose the row": "행 선택",
    "Run the task now": "작업 바로 실행",
    "Pause the task, or resume it": "작업 일시 중지 또는 재개",
    "Show these keys": "이 단축키 목록 표시",
    "Close, or leave the field": "닫기 또는 입력란에서 나가기",
    "Close": "닫기",
    "The connection is lost. What you see may be old.": "연결이 끊어졌습니다. 표시된 내용이 최신이 아닐 수 있습니다.",
    "Connected again. All is fresh.": "다시 연결되었습니다. 모두 최신 상태입니다.",
    "It did not work: {reason}": "실패했습니다: {reason}",
    "Live": "실시간",
    "No live updates: too many pages are open. This one is renewed every 10 seconds.": (
        "실시간 갱신 없음: 열린 페이지가 너무 많습니다. 이 페이지는 10초마다 갱신됩니다."
    ),
    "The page cannot be renewed: {reason}": "페이지를 갱신할 수 없습니다: {reason}",
    "The session has ended. Load the page again to sign in.": (
        "세션이 만료되었습니다. 페이지를 다시 불러와 로그인하십시오."
    ),
    "the server does not answer": "서버가 응답하지 않습니다",
    "Close the message": "메시지 닫기",
    "now": "지금",
    "for {duration}": "{duration}째",
    "All tasks are resumed.": "모든 작업이 재개되었습니다.",
    "{id}: requested": "{id}: 실행 요청됨",
    "{id}: running for {duration}": "{id}: {duration}째 실행 중",
    "{id}: succeeded in {duration}": "{id}: {duration} 만에 성공",
    "{id}: failed after {duration}: {error}": "{id}: {duration} 만에 실패: {error}",
    "{id}: the task has been removed": "{id}: 작업이 삭제되었습니다",
    "{id}: has not ended after 10 minutes. The page goes on showing it.": (
        "{id}: 10분이 지나도 끝나지 않았습니다. 상태는 페이지에 계속 표시됩니다."
    ),
    "{all} requested, {success} succeeded, {failed} failed, {open} to come": (
        "요청 {all}건: 성공 {success}, 실패 {failed}, 남음 {open}"
    ),
    "{all} requested, {success} succeeded, {failed} failed; {gone} removed, {open} have not ended": (
        "요청 {all}건: 성공 {success}, 실패 {failed}, 삭제 {gone}, 끝나지 않음 {open}"
    ),
    "{all} requested, {success} succeeded, {failed} failed": "요청 {all}건: 성공 {success}, 실패 {failed}",
    "The API": "API",
    # Instances
    "How it stands": "상태 요약",
    "Store": "저장소",
    "None": "없음",
    "The tasks live in the memory of this process, and end with it.": (
        "작업은 이 프로세스의 메모리에 있으며, 프로세스와 함께 사라집니다."
    ),
    "Answers": "응답함",
    "Out of reach": "연결할 수 없음",
    "Nothing new starts until it is back. Runs that go on come to their end, and are written then.": (
        "다시 연결될 때까지 새 실행은 시작되지 않습니다. 진행 중인 실행은 끝까지 수행되고, 결과는 연결된 뒤 기록됩니다."
    ),
    "This process": "이 프로세스",
    "Runs tasks": "작업 실행 중",
    "Its loop ticks.": "스케줄러 루프가 동작합니다.",
    "Its loop has stopped": "루프가 멈춤",
    "It hangs, or it was stopped: nothing starts here.": (
        "응답이 없거나 중지되었습니다. 여기서는 아무 작업도 시작되지 않습니다."
    ),
    "Observes": "관찰",
    "It shows and manages the tasks. Other instances run them.": (
        "작업을 보여 주고 관리합니다. 실행은 다른 인스턴스가 합니다."
    ),
    "No loop": "루프 없음",
    "No loop has ticked here yet. A program may tick by itself.": (
        "아직 이 프로세스에서 동작한 루프가 없습니다. 프로그램이 직접 틱을 호출할 수 있습니다."
    ),
    "%(num)s task": "작업 %(num)s개",
    "Runs of this process": "이 프로세스의 실행",
    "Ended": "종료",
    "Succeeded": "성공",
    "Failed": "실패",
    "Retries": "재시도",
    "Misfires": "놓친 슬롯",
    "Skipped slots": "건너뛴 슬롯",
    "Lateness, mean": "평균 지연",
    "Lateness, most": "최대 지연",
    "Who is alive": "활성 인스턴스",
    "The store is out of reach, so nobody knows who is alive.": (
        "저장소에 연결할 수 없어 활성 인스턴스를 알 수 없습니다."
    ),
    "No instance has a lease: nothing runs the tasks at the moment.": (
        "임대를 가진 인스턴스가 없습니다. 지금은 작업을 실행하는 곳이 없습니다."
    ),
    "No lease": "임대 없음",
    "Alive since": "시작",
    "Lease until": "임대 만료",
    "Its lease has expired, or it has left. Its runs count as failed soon, and may be retried.": (
        "임대가 만료되었거나 종료했습니다. 실행은 곧 실패로 기록되며 재시도될 수 있습니다."
    ),
    "%(num)s run in flight": "진행 중인 실행 %(num)s건",
    "attempt %(number)s": "%(number)s번째 시도",
    "and %(number)s more": "외 %(number)s건",
    "Runs nothing at the moment.": "지금 실행 중인 작업이 없습니다.",
    # Names of statuses
    "pending": "대기",
    "running": "실행 중",
    "success": "성공",
    "failed": "실패",
    "paused": "일시 중지",
    "retrying": "재시도 대기",
    "late": "지연",
    # The page of a task
    "Breadcrumb": "현재 위치",
    "What you see is as it was read last.": "마지막으로 읽은 내용을 표시합니다.",
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
    "Dependencies as a graph": "의존 관계 그래프",
    "It waits for no other task, and no other task waits for it.": (
        "다른 작업을 기다리지 않으며, 이 작업을 기다리는 작업도 없습니다."
    ),
    "Each task waits for those to its left.": "각 작업은 왼쪽에 이어진 작업을 기다립니다.",
    "Along a dashed line, each new success lets the next task run.": (
        "점선으로 이어진 작업은 앞 작업이 새로 성공할 때마다 실행됩니다."
    ),
    "not registered": "등록되지 않음",
    "more": "더 있음",
    "Definition": "정의",
    "Traceback": "트레이스백",
    "The traceback is not here: the instance %(owner)s has made this run, and its log has it.": (
        "트레이스백이 여기에 없습니다. 인스턴스 %(owner)s에서 실행되었으므로 그 로그에 있습니다."
    ),
    "The traceback is no longer here: the log has it.": "트레이스백이 더 이상 여기에 없습니다. 로그에 있습니다.",
    "A failed run without a traceback is one of another instance, or too old: the log of its owner has it.": (
        "트레이스백이 없는 실패는 다른 인스턴스의 것이거나 오래된 것입니다. 소유자의 로그에 있습니다."
    ),
    "Of a failed run without a traceback, the log has it: this process keeps those of its latest runs.": (
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
    "Wall time in %(zone)s": "%(zone)s 현지 시각",
    "The task is paused: none of them starts before it is resumed.": (
        "작업이 일시 중지되어 재개하기 전에는 시작하지 않습니다."
    ),
    "All tasks are paused: none of them starts before they are resumed.": (
        "모든 작업이 일시 중지되어 재개하기 전에는 시작하지 않습니다."
    ),
    "moved": "이동",
    "merged": "합침",
    "repeated": "반복",
    "The clock skips this time on that date: the run comes when the gap ends.": (
        "그날은 시계가 이 시각을 건너뛰므로, 건너뛴 구간이 끝날 때 실행됩니다."
    ),
    "Another slot lies in the time that the clock skips: the two come as one run.": (
        "시계가 건너뛰는 구간에 다른 예정 시각이 있어, 둘이 한 번에 실행됩니다."
    ),
    "The clock shows this time twice on that date: it counts once.": (
        "그날은 시계가 이 시각을 두 번 가리키지만 한 번만 실행됩니다."
    ),
    "It has no slots: it runs only when somebody runs it.": "예정 시각이 없습니다. 직접 실행할 때만 실행됩니다.",
    "It has no slots of its own: it runs after other tasks have succeeded.": (
        "자체 예정 시각이 없습니다. 다른 작업이 성공한 뒤에 실행됩니다."
    ),
    "No slot is left.": "남은 예정 시각이 없습니다.",
    "Mon": "월",
    "Tue": "화",
    "Wed": "수",
    "Thu": "목",
    "Fri": "금",
    "Sat": "토",
    "Sun": "일",
    "Runs by outcome": "결과별 실행",
    "All": "전체",
    "The runs cannot be read: the store is out of reach.": "저장소에 연결할 수 없어 실행 기록을 읽을 수 없습니다.",
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
    "too late": "늦게 끝남",
    "Its instance has died, or could not renew its lease: the run was given up.": (
        "인스턴스가 종료되었거나 리스를 갱신하지 못해 실행을 포기했습니다."
    ),
    "Its outcome came after the run had been given up, and changed nothing.": (
        "실행을 포기한 뒤에 결과가 도착하여 아무것도 바꾸지 않았습니다."
    ),
    "differs from the code": "코드와 다름",
    "Runs here": "여기서 실행",
    "no: its function is unknown in this process, other instances run it": (
        "아니요: 이 프로세스가 함수를 알지 못하므로 다른 인스턴스가 실행합니다"
    ),
    "Version": "버전",
    "Fields that are not shown have their defaults.": "표시되지 않은 필드는 기본값입니다.",
    # How long something lasts
    "%s ms": "%s ms",
    "%s s": "%s초",
    "%s min": "%s분",
    "%s h": "%s시간",
    "%s d": "%s일",
}
