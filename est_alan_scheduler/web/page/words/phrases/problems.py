"""What the texts of requests that are refused become in Korean; in English, most are said as they are."""

from collections.abc import Sequence

from est_alan_scheduler.web.page.words.phrases.korean_schedules import ID
from est_alan_scheduler.web.page.words.phrases.refusals import Refusal

PROBLEMS: Sequence[Refusal] = (
    Refusal("there is nothing at this path", "", "이 주소에는 아무것도 없습니다."),
    Refusal(r"(?P<method>[A-Z]+) is not allowed here", "", "이 주소에 {method} 요청은 보낼 수 없습니다."),
    Refusal("this site is read-only", "", "이 사이트는 읽기 전용입니다."),
    Refusal("authentication is needed", "", "인증이 필요합니다."),
    Refusal("the token is wrong", "", "토큰이 올바르지 않습니다."),
    Refusal("this needs the role manage", "this needs the right to manage tasks", "작업을 관리할 권한이 필요합니다."),
    Refusal("the server failed: its log says why", "", "서버에서 오류가 발생했습니다. 원인은 서버 로그에 있습니다."),
    Refusal("the store is out of reach", "", "저장소에 연결할 수 없습니다."),
    Refusal("others simulate already", "", "다른 요청이 이미 계산하고 있습니다. 잠시 후 다시 시도하십시오."),
    Refusal("too many clients listen already", "", "연결된 브라우저가 너무 많습니다. 잠시 후 다시 시도하십시오."),
    Refusal(
        "too many requests wait already: the store may not answer",
        "",
        "기다리는 요청이 이미 너무 많습니다. 저장소가 응답하지 않을 수 있습니다.",
    ),
    Refusal("no answer within (?P<number>[0-9.e+-]+) seconds", "", "{number}초 안에 응답하지 않았습니다."),
    Refusal(
        "an argument of the task takes too long to show; a change that was asked for may have been made",
        "",
        "작업의 인수를 표시하는 데 너무 오래 걸립니다. 요청한 변경은 이루어졌을 수도 있습니다.",
    ),
    Refusal(
        "no answer within (?P<number>[0-9.e+-]+) seconds; a change that was asked for may have been made",
        "",
        "{number}초 안에 응답하지 않았습니다. 요청한 변경은 이루어졌을 수도 있습니다.",
    ),
    Refusal("the query must be UTF-8, percent-encoded", "", "주소의 값이 올바른 UTF-8이 아닙니다."),
    Refusal(r"(?P<name>\w+): it is given twice", "", "{name}: 값이 두 번 있습니다."),
    Refusal("the body is not JSON", "", "요청의 내용이 JSON이 아닙니다."),
    Refusal("the target of the request must be a path", "", "요청의 대상은 경로여야 합니다."),
    Refusal("Content-Length must be a number", "", "Content-Length는 수여야 합니다."),
    Refusal("the body may have at most (?P<high>[0-9]+) bytes", "", "요청의 내용은 최대 {high}바이트입니다."),
    Refusal(
        "the Content-Type of a body must be application/json",
        "",
        "요청의 Content-Type은 application/json이어야 합니다.",
    ),
    Refusal("the body must not be compressed", "", "요청의 내용을 압축할 수 없습니다."),
    Refusal(
        "the request must have one header Host, a name with or without a port",
        "",
        "요청에는 Host 헤더가 하나 있어야 하며, 이름과 선택적인 포트로 이루어져야 합니다.",
    ),
    Refusal(
        "the host (?P<name>.+) is not served here: hosts= of the server names those that are",
        "",
        "이 서버는 {name} 이름으로 열 수 없습니다. 쓸 수 있는 이름은 서버의 hosts= 설정에 있습니다.",
    ),
    Refusal("a page of another site has sent this request", "", "다른 사이트의 페이지가 보낸 요청입니다."),
    Refusal("a page of another origin has sent this request", "", "다른 출처의 페이지가 보낸 요청입니다."),
    Refusal(
        "the request does not tell where it comes from: .+",
        "",
        "요청이 어디에서 왔는지 알 수 없습니다. 프로그램은 bearer 토큰이나 이 서버의 Origin을 보내야 합니다.",
    ),
    Refusal(
        rf"no task (?P<value>{ID}) is registered(?P<meant> \(did you mean .+\?\))?",
        "There is no task with the id {value}.{meant}",
        "ID가 {value}인 작업이 없습니다.{meant}",
    ),
    Refusal(
        rf"task (?P<value>{ID}) of the backend can only be removed here: the log says why",
        "",
        "저장소의 작업 {value}은(는) 여기서 삭제만 할 수 있습니다. 원인은 로그에 있습니다.",
    ),
    Refusal(
        rf"task (?P<value>{ID}) of the backend can only be removed here: (?P<error>.+)",
        "",
        "저장소의 작업 {value}은(는) 여기서 삭제만 할 수 있습니다: {error}",
    ),
    Refusal(rf"task {ID} was changed meanwhile", "", "그사이 작업이 변경되었습니다."),
    # Values in the address
    Refusal(
        "it is no cursor of this order: go to its first page",
        "This order has no such page.",
        "이 정렬에 없는 페이지입니다.",
    ),
    Refusal("it is not one that a page has given as next_cursor", "There is no such page.", "없는 페이지입니다."),
    Refusal("there is no time zone of this name", "", "없는 시간대입니다."),
    Refusal("Field required", "It is missing.", "값이 필요합니다."),
    Refusal("Extra inputs are not permitted", "There is no such parameter.", "없는 매개변수입니다."),
    Refusal("String should have at least 1 character", "It is empty.", "비어 있습니다."),
    Refusal(
        "String should have at most (?P<high>[0-9]+) characters",
        "It may have at most {high} characters.",
        "최대 {high}자까지 적을 수 있습니다.",
    ),
    Refusal(
        "Input should be (?P<choices>'.+')", "It has to be one of: {choices}.", "다음 중 하나여야 합니다: {choices}"
    ),
    Refusal(
        "a date and a time with an offset are needed, as in .+",
        "",
        "2026-01-31T09:00:00+09:00처럼 오프셋이 있는 날짜와 시각이어야 합니다.",
    ),
    Refusal(
        "Input should be a valid (?:list|dictionary|string|object|boolean).*", "", "값의 형식이 올바르지 않습니다."
    ),
    Refusal("List should have at least 1 item.*", "", "하나 이상이어야 합니다."),
    Refusal("List should have at most (?P<high>[0-9]+) items.*", "", "최대 {high}개입니다."),
    # Actions
    Refusal(
        rf"[Tt]ask {ID} cannot call its function: func .+? lacks the arguments? (?P<names>{ID}(?:, {ID})*).*",
        "The function cannot be called: it lacks {names}.",
        "함수를 호출할 수 없습니다. 없는 인수: {names}",
    ),
    Refusal(
        rf"[Tt]ask {ID} cannot call its function: (?P<fault>.+?)\.?"
        "(?: Give run_now .+| A run of it is to come: .+| These arguments are those .+)?",
        "The function cannot be called: {fault}.",
        "함수를 호출할 수 없습니다. 인수가 맞지 않습니다.",
    ),
    Refusal(
        rf"kwargs of task {ID} hold (?:(?P<name>{ID})|an argument), where the result of (?P<value>{ID}) would go\.?",
        "The task already has an argument where the result of {value} would go.",
        "작업 {value}의 결과가 들어갈 인수에 이미 값이 있습니다.",
    ),
    Refusal(
        rf"task {ID} takes the results of (?P<one>{ID}) and (?P<other>{ID}), which would both go to {ID}\.?",
        "The results of {one} and {other} would go to the same argument.",
        "작업 {one}의 결과와 작업 {other}의 결과가 같은 인수로 들어가게 됩니다.",
    ),
    Refusal(
        rf"task {ID} needs a timezone, for example timezone=(?P<way>{ID}): local time is .+",
        "The task needs a time zone such as {way}: this server and those that run the task have different ones.",
        "{way} 같은 시간대가 필요합니다. 이 서버와 작업을 실행하는 서버의 시간대가 서로 다릅니다.",
    ),
    Refusal(rf"task {ID} .+ since it was of the version .+", "", "그사이 작업이 변경되었습니다."),
)
"""Of requests: wrong addresses, missing rights, actions that cannot be done."""
