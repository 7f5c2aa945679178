"""The Korean of the reasons why a task does not run: patterns of the English phrases, and what each becomes."""

from collections.abc import Mapping, Sequence

from est_alan_scheduler.web.page.words.korean import KOREAN
from est_alan_scheduler.web.page.words.phrases.korean_schedules import ID, LISTED_IDS

MOMENT = r"(?P<moment>[0-9-]{10} [0-9:.]+(?:[+-][0-9:.]+)?|None)"
TIME = r"(?P<lasting>[0-9.e+-]+ s)"
_LABEL = rf"(?P<label>{ID}(?: \(.+?\))?)"
SKIPPED = rf"(?P<skipped> \(its slot of {MOMENT.replace('moment', 'slot')} came later than .+? skipped\))?"

REASONS: Mapping[str, Sequence[tuple[str, str]]] = {
    "sentence": [
        (
            rf"cannot run here: its function (?P<id>{ID}) is unknown here: register or expose it; (?P<reasons>.+)",
            "여기서 실행할 수 없음: 함수 {id}을(를) 여기서는 알 수 없음. 등록하거나 공개해야 함; {reasons}",
        ),
        (
            rf"runs on other instances only: its function (?P<id>{ID}) is unknown here: register or expose it; "
            r"(?P<reasons>.+)",
            "다른 인스턴스에서만 실행됨: 함수 {id}을(를) 여기서는 알 수 없음. 등록하거나 공개해야 함; {reasons}",
        ),
        (r"cannot run here: (?!its function )(?P<error>.+)", "여기서 실행할 수 없음: {error}"),
        (
            "nothing starts until the store, which is out of reach, is back",
            "저장소에 연결할 수 없어, 다시 연결될 때까지 아무 작업도 시작되지 않음",
        ),
        (r"(?P<reasons>.+)", "{reasons}"),
    ],
    "reason": [
        # What runs
        (rf"running since {MOMENT}", "{moment}부터 실행 중"),
        ("marked as running, though it never ran", "실행 중으로 표시되어 있지만 실행된 적이 없음"),
        (
            "the call of the task that had this id before still goes on",
            "이전에 이 ID를 쓰던 작업의 호출이 아직 끝나지 않음",
        ),
        (
            rf"its run of {MOMENT} is recorded as failed \((?P<error>.*)\), but that call still goes on",
            "{moment}의 실행은 실패로 기록되었지만 ({error}) 호출은 아직 끝나지 않음",
        ),
        (
            rf"its run of {MOMENT} counts as (?P<status>[a-z]+), but that call still goes on",
            "{moment}의 실행은 '{status}' 상태이지만 호출은 아직 끝나지 않음",
        ),
        # What is paused, or never due
        (r"all tasks are paused: resume_all\(\) lets them run", "모든 작업이 일시 중지됨. 모두 재개해야 실행됨"),
        (rf"paused: resume\({ID}\) lets it run", "일시 중지됨. 재개해야 실행됨"),
        (
            r"never due: exactly one of (?P<names>.+) must be set, got none of them",
            "실행 예정 없음: {names} 중 정확히 하나를 설정해야 하는데, 설정된 것이 없음",
        ),
        (
            r"never due: exactly one of (?P<names>.+) must be set, got (?P<listed>[a-z_]+(?: and [a-z_]+)+)",
            "실행 예정 없음: {names} 중 정확히 하나를 설정해야 하는데, {listed}을(를) 함께 설정함",
        ),
        (r"has run (?P<n>[0-9]+) of (?P<m>[0-9]+) times", "정해진 {m}회 중 {n}회를 실행하여 끝남"),
        (rf"never due by itself: it runs by run_now\({ID}\) only", "실행 예정 없음: 수동으로만 실행됨"),
        (rf"ran once at {MOMENT}, never again", "{moment}에 한 번 실행되었고, 다시 실행되지 않음"),
        (
            rf"never due again: its slot of {MOMENT} came later than misfire_grace allows, and was skipped",
            "더는 실행 예정 없음: {moment} 예정 시각을 허용 지연 시간(misfire_grace)보다 늦어 건너뜀",
        ),
        (
            rf"never due: run_at, {MOMENT}, had passed when it was registered, and run_immediately is False",
            "실행 예정 없음: 등록할 때 run_at({moment})이 이미 지났고 run_immediately가 False임",
        ),
        ("never due: its next slot is beyond the calendar", "실행 예정 없음: 다음 예정 시각이 달력의 범위를 벗어남"),
        (
            rf"never due again: no slot is left within start_at, end_at and exclude{SKIPPED}",
            "더는 실행 예정 없음: 시작, 끝, 제외 날짜 안에 남은 예정 시각이 없음{skipped}",
        ),
        # What is due now
        ("due now", "지금 실행할 차례"),
        ("due now, it runs with the next tick", "지금 실행할 차례: 다음 틱에 실행됨"),
        (
            "due now, it runs with the next tick of another instance",
            "지금 실행할 차례: 다른 인스턴스의 다음 틱에 실행됨",
        ),
        ("due now, but no instance is alive to run it", "지금 실행할 차례이지만, 실행할 활성 인스턴스가 없음"),
        (
            "due now, but the main thread has ended, and Python's executors take no more calls",
            "지금 실행할 차례이지만, 메인 스레드가 끝나 실행기가 더는 호출을 받지 않음",
        ),
        (
            "due now, but as many runs are in flight as max_running allows",
            "지금 실행할 차례이지만, 동시 실행 한도(max_running)가 찼음",
        ),
        (
            r"due now, but nothing ticks this registry: start_scheduler\(registry=…\)",
            "지금 실행할 차례이지만, 이 프로세스에서 스케줄러가 돌고 있지 않음",
        ),
        # What it waits for: the reasons that can stand together
        (rf"due in {TIME} at {MOMENT}{SKIPPED}", "{lasting} 뒤({moment}) 실행 예정{skipped}"),
        (
            rf"retries \(attempt (?P<n>[0-9]+) of (?P<m>[0-9]+)\) in {TIME} at {MOMENT}, after (?P<error>.*?)",
            "{lasting} 뒤({moment}) 재시도 예정 (전체 {m}회 중 {n}번째 시도, 직전 오류: {error})",
        ),
        (
            rf"its slot of {MOMENT} is {TIME} late, more than misfire_grace, and will be skipped",
            "{moment} 예정 시각보다 {lasting} 늦어, 허용 지연 시간(misfire_grace)을 넘겼으므로 건너뜀",
        ),
        (r"waits for itself: (?P<cycle>.+?)", "자기 자신을 기다리는 중: {cycle}"),
        (
            rf"waits for (?P<id>{ID}), which is not registered(?P<meant> \(did you mean {ID}\?\))?",
            "{id} 작업이 등록되어 있지 않아 기다리는 중{meant}",
        ),
        (rf"waits for {_LABEL}, which has not succeeded", "{label} 작업이 아직 성공하지 않아 기다리는 중"),
        (rf"waits for a new success of (?P<ids>{LISTED_IDS})", "{ids} 작업이 새로 성공하기를 기다리는 중"),
        (
            rf"waits for {_LABEL} to succeed anew: its success of {MOMENT} has been made use of",
            "{label} 작업이 새로 성공하기를 기다리는 중 ({moment}의 성공은 이미 사용함)",
        ),
    ],
    "skipped": [
        (
            rf" \(its slot of {MOMENT} came later than misfire_grace allows, and was skipped\)",
            " ({moment} 예정 시각은 허용 지연 시간(misfire_grace)보다 늦어 건너뜀)",
        ),
    ],
    "meant": [(rf" \(did you mean (?P<id>{ID})\?\)", " (혹시 {id}?)")],
    "status": [(name, KOREAN[name]) for name in ("pending", "running", "success", "failed")],
}
"""The phrases of a reason, by their kind."""
