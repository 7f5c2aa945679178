"""The Korean texts of what all pages share, and of the instances."""

from collections.abc import Mapping

FRAME: Mapping[str, str] = {
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
    "Cancel": "취소",
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
    "Close the message": "메시지 닫기",
    "now": "지금",
    "for {duration}": "{duration}째",
    "All tasks are resumed.": "모든 작업이 재개되었습니다.",
    "{id}: requested": "{id}: 실행 요청됨",
    "{id}: running": "{id}: 실행 중",
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
}
"""They are part of `KOREAN`."""
