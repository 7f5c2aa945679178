"""The scripts of the Redis backend. Each is atomic, and may be sent again: clients do that after a lost reply.

Keys, all of which begin with the hash tag in KEYS[1]:

    meta         a hash: schema, revision, paused, born; dropped_revision, dropped_version: the highest of tombstones
    revisions    a sorted set: task ids by the revision of their last change
    removed      the same of tombstones
    kept         a sorted set: tombstones by the end of the leases of the time of the removal
    task:ID      a hash: the state and the definition of a task; an empty text is a None
    run:ID:N     a hash: the run of epoch N
    runs:ID      a sorted set: the epochs of the runs that are kept
    history      a sorted set: ID, NUL, epoch in 16 digits, by the start of the run
    leases, since     hashes: owner to the end of its lease, and to its beginning
    owners       a set: the owners of runs without an outcome
    open:OWNER   a set: those runs, as in history

Numbers are passed as text, because Lua itself turns them into texts of 14 digits. Long answers are one JSON text, which
redis-py passes on as it is: reading a nested reply would take it longer than all the rest. In such a text an empty list
is an empty object, and a missing field is false.

ARGV[1] is the time, or empty: then it is the server's.

Keys and fields may hold anything: a row of nonsense must not end a script, which would do half of its work.
"""

from est_alan_scheduler.backends.clock import LATEST
from est_alan_scheduler.backends.redis.fields import RUN, STATE, number
from est_alan_scheduler.backends.rows import LARGEST, State


def _fields(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)


_DEFAULTS = State._field_defaults | {"status": "pending", "paused": 0, "token": None}
_BLANK = ", ".join(f"'{name}', '{number(value)}'" for name, value in _DEFAULTS.items())

PRELUDE = f"""
local P = KEYS[1]
local call = redis.call
-- The answer of a command; nil if its key has another type, or if its field is no number that can grow.
local function try(...)
    local reply = redis.pcall(...)
    if type(reply) ~= 'table' or not reply.err then return reply end
    local code, text = string.match(reply.err, '^%-?(%u+) (.*)')
    local is_denied = text and string.find(text, '^ACL failure')
    if code == 'WRONGTYPE' or (code == 'ERR' and not is_denied) then return nil end
    return call(...)  -- an outage, such as OOM or a missing permission, ends the script
end
-- Writes, and takes the place of a key of another type.
local function write(command, key, ...)
    if try(command, key, ...) == nil then
        call('DEL', key)
        call(command, key, ...)
    end
end
local function now()
    if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
    local time = call('TIME')
    return time[1] * 1000000 + time[2]
end
local function rows(place) return ipairs(cjson.decode(ARGV[place])) end
local function whole(number) return string.format('%.0f', number) end
local function meta(name) return call('HGET', P .. 'meta', name) end
local function number(name) return tonumber(meta(name) or '0') end
local function alive(owner, at)
    local till = tonumber(call('HGET', P .. 'leases', owner) or '')
    return till and till > at and till <= {LATEST}
end
local function all_paused() return meta('paused') == '1' end
local function member(id, epoch) return id .. '\\0' .. string.format('%016.0f', tonumber(epoch) or 0) end
local function fields(key, ...)
    local found = try('HMGET', key, ...) or {{}}
    for place = #found + 1, select('#', ...) do found[place] = false end  -- as if they were missing
    return unpack(found)
end
local function get(id, ...) return fields(P .. 'task:' .. id, ...) end
local function exists(id) return call('EXISTS', P .. 'task:' .. id) == 1 end
local function is_hash(id) return call('TYPE', P .. 'task:' .. id).ok == 'hash' end
local function put(id, ...) call('HSET', P .. 'task:' .. id, ...) end
local function next_version(id) return try('HINCRBY', P .. 'task:' .. id, 'version', 1) end
local function counts(text)
    return text and (text == '0' or string.match(text, '^[1-9]%d*$')) and tonumber(text) < {LARGEST}
end
local function next_revision(id)
    local revision = call('HINCRBY', P .. 'meta', 'revision', 1)
    if id then
        call('ZADD', P .. 'revisions', revision, id)
        next_version(id)
    end
    return revision
end
local function run_key(id, epoch) return P .. 'run:' .. id .. ':' .. epoch end
local function get_run(id, epoch, ...) return fields(run_key(id, epoch), ...) end
local function put_run(id, epoch, ...) write('HSET', run_key(id, epoch), ...) end
local function is_run_by(owner, id, epoch)
    local last, holder, status = get(id, 'epoch', 'owner', 'status')
    return last == epoch and holder == owner and status == 'running'
end
local function close(id, epoch, owner)
    try('SREM', P .. 'open:' .. owner, member(id, epoch))
    if call('EXISTS', P .. 'open:' .. owner) == 0 then call('SREM', P .. 'owners', owner) end
end
local function end_run(id, status, error, retry_at, attempt, failures)
    put(id, 'status', status, 'error_message', error, 'retry_at', retry_at, 'attempt', attempt,
        'consecutive_failures', failures, 'owner', '')
    next_version(id)
end
local function drop_finished(id, last)
    for _, epoch in ipairs(try('ZRANGEBYSCORE', P .. 'runs:' .. id, '-inf', last) or {{}}) do
        if get_run(id, epoch, 'finished') ~= '' then
            call('DEL', run_key(id, epoch))
            call('ZREM', P .. 'runs:' .. id, epoch)
            call('ZREM', P .. 'history', member(id, epoch))
        end
    end
end
local function forget(owner)
    call('HDEL', P .. 'leases', owner)
    call('HDEL', P .. 'since', owner)
end
local function blank(id) put(id, {_BLANK}) end
-- Lets a row of nonsense begin anew, above the runs that are known.
local function restore(id)
    local version, epoch = get(id, 'version', 'epoch')
    if not is_hash(id) then call('DEL', P .. 'task:' .. id) end
    if not counts(version) then put(id, 'version', '0') end
    if not counts(epoch) then
        local last = 0
        for _, text in ipairs(try('ZRANGE', P .. 'runs:' .. id, 0, -1) or {{}}) do
            if counts(text) then last = math.max(last, tonumber(text)) end
        end
        put(id, 'epoch', whole(last))
    end
end
local function state(id)
    local found = try('HMGET', P .. 'task:' .. id, {_fields(STATE)}, 'removed')
    if not found then return 'its key is no hash' end
    return table.remove(found) == '0' and found or 'its field removed is neither 0 nor 1'
end
local function run(id, epoch) return try('HMGET', run_key(id, epoch), {_fields(RUN)}) or 'its key is no hash' end
"""

OPEN = """
call('HSETNX', P .. 'meta', 'revision', 0)
call('HSETNX', P .. 'meta', 'schema', ARGV[2])
return meta('schema')
"""

# ARGV[2] is the revision seen, ARGV[3] that up to which removals were seen. A complete snapshot reads all tasks, page
# by page, and of tombstones only those of tasks that were removed since it began. It begins anew if one of those is
# dropped.
FETCH = """
local born = meta('born')
if not born then
    born = whole(now())
    call('HSET', P .. 'meta', 'born', born)
end
local last = number('revision')
local seen, gone, limit = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local begins, revision = 0, last
if limit > 0 and (gone == 0 or gone < number('dropped_revision') or seen > last) then
    begins, seen, gone = 1, 0, last
end
local news, more = {}, 0
if limit > 0 and last > seen then
    local function after(key, score)
        return call('ZRANGEBYSCORE', P .. key, '(' .. whole(score), '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
    end
    local found = {after('revisions', seen), after('removed', math.max(seen, gone))}
    for _, part in ipairs(found) do
        if #part == 2 * limit then
            revision = math.min(revision, tonumber(part[#part]))
            more = 1
        end
    end
    for _, part in ipairs(found) do
        for i = 1, #part, 2 do
            if tonumber(part[i + 1]) <= revision then
                news[#news + 1] = {part[i], {get(part[i], 'removed', 'definition', 'hash')}, state(part[i])}
            end
        end
    end
end
local states = {}
for _, asked in rows(5) do
    local removed, version = get(asked[1], 'removed', 'version')
    if removed ~= '1' and version ~= asked[2] and (removed or exists(asked[1])) then
        states[#states + 1] = {asked[1], state(asked[1])}
    end
end
return cjson.encode({whole(now()), whole(revision), whole(gone), begins, more, news, states, all_paused(), born})
"""

PAUSE_ALL = """
if all_paused() == (ARGV[2] == '1') then return 0 end
call('HSET', P .. 'meta', 'paused', ARGV[2])
next_revision()
return 1
"""

ASSIGN = """
local versions = {}
for _, assignment in rows(2) do
    local id, seen, fields = unpack(assignment)
    local removed, version = get(id, 'removed', 'version')
    if removed == '0' and version == seen then
        if #fields > 0 then put(id, unpack(fields)) end
        versions[#versions + 1] = {id, next_version(id)}
    end
end
return cjson.encode(versions)
"""

CLAIM = """
local owner, token = ARGV[2], ARGV[3]
local is_open = alive(owner, now()) and not all_paused()
local won = {}
for _, claim in rows(4) do
    local id, seen, slot, attempt, started, first_run_at, last_run_at, retry_at, runs = unpack(claim)
    local removed, version, status, holder, last_token, last, requested =
        get(id, 'removed', 'version', 'status', 'owner', 'token', 'epoch', 'run_requested')
    if status == 'running' then
        if holder == owner and last_token == token then won[#won + 1] = {id, last} end
    elseif is_open and removed == '0' and version == seen and counts(last) then
        local epoch = whole(call('HINCRBY', P .. 'task:' .. id, 'epoch', 1))
        next_version(id)
        put(id, 'status', 'running', 'owner', owner, 'token', token, 'run_requested', '0', 'slot', slot,
            'attempt', attempt, 'first_run_at', first_run_at, 'last_run_at', last_run_at, 'retry_at', retry_at,
            'runs', runs)
        if attempt == '1' and requested == '0' then put(id, 'run_arguments', '') end
        put_run(id, epoch, 'slot', slot, 'attempt', attempt, 'owner', owner, 'started', started,
            'finished', '', 'status', 'running', 'result', '', 'error', '', 'late', '0')
        write('ZADD', P .. 'runs:' .. id, epoch, epoch)
        call('ZADD', P .. 'history', started, member(id, epoch))
        write('SADD', P .. 'open:' .. owner, member(id, epoch))
        call('SADD', P .. 'owners', owner)
        won[#won + 1] = {id, epoch}
    end
end
return cjson.encode(won)
"""

FINISH = """
local owner = ARGV[2]
local function tells_of(id, epoch, status, error, retry_at, success)  -- the row of a task, of a run that is not kept
    local last, holder, is, message, retry, succeeded =
        get(id, 'epoch', 'owner', 'status', 'error_message', 'retry_at', 'last_success_at')
    return last == epoch and holder == '' and is == status and message == error and retry == retry_at
        and (status ~= 'success' or succeeded == success)
end
local recorded = {}
for _, outcome in rows(3) do
    local id, epoch, finished, status, result, shown, error, success, retry_at, attempt, last, consumed, failures =
        unpack(outcome)
    local kept = is_run_by(owner, id, epoch)
    if kept then
        end_run(id, status, error, retry_at, attempt, failures)
        if status == 'success' then put(id, 'result', result, 'last_success_at', success) end
        if consumed ~= '' then put(id, 'consumed', consumed) end
    end
    local holder, ended, late = get_run(id, epoch, 'owner', 'finished', 'late')
    if holder == owner and (ended == '' or late == '1') then
        put_run(id, epoch, 'finished', finished, 'result', shown, 'late', kept and '0' or '1')
        if ended == '' then put_run(id, epoch, 'status', status, 'error', error) end
        close(id, epoch, owner)
    end
    local was_recorded = holder == owner and ended ~= '' and late == '0'
    if not holder and last == epoch then was_recorded = tells_of(id, epoch, status, error, retry_at, success) end
    if kept or was_recorded then recorded[#recorded + 1] = {id, epoch} end
    if last ~= '0' then drop_finished(id, (kept or last ~= epoch) and last or '(' .. epoch) end
end
return cjson.encode(recorded)
"""

RENEW = """
local owner, at = ARGV[2], now()
local till = at + tonumber(ARGV[3])
local since = tonumber(call('HGET', P .. 'since', owner) or '') or at - 1  -- a new one begins now
if not (math.abs(since) < 2 ^ 53) then since = at - 1 end
if not alive(owner, at) then since = math.max(at, since + 1) end
call('HSET', P .. 'leases', owner, whole(till))
call('HSET', P .. 'since', owner, whole(since))
for _, other in ipairs(call('HKEYS', P .. 'leases')) do
    if not alive(other, at - tonumber(ARGV[4])) then forget(other) end
end
return {whole(at), whole(till), whole(since)}
"""

INSTANCES = """
local found = {}
for _, owner in ipairs(call('HKEYS', P .. 'leases')) do
    if alive(owner, now()) then
        found[#found + 1] = {owner, call('HGET', P .. 'since', owner), call('HGET', P .. 'leases', owner)}
    end
end
return found
"""

LEAVE = """
forget(ARGV[2])
return 1
"""

EPOCHS = """
local found = {}
for _, id in rows(2) do
    for _, epoch in ipairs(try('ZRANGE', P .. 'runs:' .. id, 0, -1) or {}) do
        if counts(epoch) then found[#found + 1] = {id, epoch} end
    end
end
return cjson.encode(found)
"""

RUNS = """
local found = {}
for _, one in rows(2) do
    local row = run(one[1], one[2])
    if row[2] then found[#found + 1] = {one[1], one[2], row} end
end
return cjson.encode(found)
"""

LATEST_RUNS = """
local found, members = {}, call('ZREVRANGE', P .. 'history', ARGV[2], ARGV[3], 'WITHSCORES')
for place = 1, #members, 2 do
    local id, epoch = string.match(members[place], '^(.+)%z(%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d)$')
    local is_wanted = id and (ARGV[4] == '' or get_run(id, whole(tonumber(epoch)), 'status') == ARGV[4])
    if is_wanted then found[#found + 1] = members[place] end
end
return {#members / 2, members[#members] or '', found}
"""

FIND_DEAD_RUNS = """
local at, left = now(), tonumber(ARGV[2])
local found = {}
for _, owner in ipairs(call('SMEMBERS', P .. 'owners')) do
    if not alive(owner, at) then
        for _, open in ipairs(try('SMEMBERS', P .. 'open:' .. owner) or {}) do
            if left == 0 then return cjson.encode(found) end
            local id, epoch = string.match(open, '^(.+)%z(%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d)$')
            if id then
                left = left - 1
                epoch = whole(tonumber(epoch))
                found[#found + 1] = {id, epoch, owner, run(id, epoch)}
            end
        end
    end
end
return cjson.encode(found)
"""

REAP = """
local at = now()
local reaped, dead = {}, {}
for _, outcome in rows(2) do
    local id, epoch, owner, error, retry_at, attempt, failures = unpack(outcome)
    local holder, ended = get_run(id, epoch, 'owner', 'finished')
    local is_open = try('SISMEMBER', P .. 'open:' .. owner, member(id, epoch)) == 1
    if is_open and (holder or owner) == owner and (ended or '') == '' and not alive(owner, at) then
        dead[owner] = true
        put_run(id, epoch, 'finished', whole(at), 'status', 'failed', 'error', error, 'late', '1')
        close(id, epoch, owner)
        if is_run_by(owner, id, epoch) then end_run(id, 'failed', error, retry_at, attempt, failures) end
        reaped[#reaped + 1] = {id, epoch}
    end
end
for owner, _ in pairs(dead) do forget(owner) end
return cjson.encode(reaped)
"""
