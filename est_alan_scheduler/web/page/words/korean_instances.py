"""The Korean texts of the page of the instances, by the English ones."""

TEXTS = {
    "Summary": "상태 요약",
    "Store": "저장소",
    "None": "없음",
    "The tasks live in the memory of this process, and end with it.": (
        "작업은 이 프로세스의 메모리에 있으며, 프로세스와 함께 사라집니다."
    ),
    "Answers": "응답함",
    "Out of reach": "연결할 수 없음",
    "Nothing starts until it is back. Runs in flight go on to their end, and are recorded then.": (
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
    "No loop has ticked here yet. A program may call tick() itself.": (
        "아직 이 프로세스에서 동작한 루프가 없습니다. 프로그램이 직접 틱을 호출할 수 있습니다."
    ),
    "%(num)s task": "작업 %(num)s개",
    "Runs of this process": "이 프로세스의 실행",
    "Ended": "종료",
    "Succeeded": "성공",
    "Failed": "실패",
    "Retries": "재시도",
    "Coalesced slots": "합쳐진 예정 시각",
    "Mean lateness": "평균 지연",
    "Longest lateness": "최대 지연",
    "Live instances": "활성 인스턴스",
    "The store is out of reach: the live instances are not known.": (
        "저장소에 연결할 수 없어 활성 인스턴스를 알 수 없습니다."
    ),
    "No instance has a lease: nothing runs the tasks now.": (
        "임대를 가진 인스턴스가 없습니다. 지금은 작업을 실행하는 곳이 없습니다."
    ),
    "Instances without a lease": "임대가 없는 인스턴스",
    "Its lease has expired, or it has left. Its runs are recorded as failed once an instance is alive again.": (
        "임대가 만료되었거나 종료했습니다. 실행은 활성 인스턴스가 생긴 뒤 실패로 기록됩니다."
    ),
    "No lease": "임대 없음",
    "Alive since": "시작",
    "Lease until": "임대 만료",
    "Its lease has expired, or it has left. Its runs are soon recorded as failed, and may be retried.": (
        "임대가 만료되었거나 종료했습니다. 실행은 곧 실패로 기록되며 재시도될 수 있습니다."
    ),
    "%(num)s run in flight": "진행 중인 실행 %(num)s건",
    "attempt %(number)s": "%(number)s번째 시도",
    "Runs nothing now.": "지금 실행 중인 작업이 없습니다.",
}
