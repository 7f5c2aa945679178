"""The scripts of the Redis backend. Each is atomic, and may be sent again: clients do that after a lost reply.

Keys, all of which begin with the hash tag in KEYS[1]:

    meta         a hash: schema, revision, paused, born
    revisions    a sorted set: task ids, removed ones too, by the revision of their last change
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
"""

from est_alan_scheduler.backends.redis.fields import RUN, STATE, number
from est_alan_scheduler.backends.rows import State


def _fields(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)


_DEFAULTS = State._field_defaults | {"status": "pending", "paused": 0, "token": None}
_BLANK = ", ".join(f"'{name}', '{number(value)}'" for name, value in _DEFAULTS.items())

PRELUDE = f"""
local P = KEYS[1]
local function now()
    if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
    local time = redis.call('TIME')
    return time[1] * 1000000 + time[2]
end
local function whole(number) return string.format('%.0f', number) end
local function alive(owner, at)
    local till = redis.call('HGET', P .. 'leases', owner)
    return till and tonumber(till) > at
end
local function all_paused() return redis.call('HGET', P .. 'meta', 'paused') == '1' end
local function member(id, epoch) return id .. '\\0' .. string.format('%016.0f', tonumber(epoch)) end
local function run_key(id, epoch) return P .. 'run:' .. id .. ':' .. epoch end
local function bump(id)
    local revision = redis.call('HINCRBY', P .. 'meta', 'revision', 1)
    redis.call('ZADD', P .. 'revisions', revision, id)
    redis.call('HINCRBY', P .. 'task:' .. id, 'version', 1)
end
local function is_run_by(owner, id, epoch)
    local there = redis.call('HMGET', P .. 'task:' .. id, 'epoch', 'owner', 'status')
    return there[1] == epoch and there[2] == owner and there[3] == 'running'
end
local function close(id, epoch, owner)
    redis.call('SREM', P .. 'open:' .. owner, member(id, epoch))
    if redis.call('EXISTS', P .. 'open:' .. owner) == 0 then redis.call('SREM', P .. 'owners', owner) end
end
local function drop(id, epoch)
    redis.call('DEL', run_key(id, epoch))
    redis.call('ZREM', P .. 'runs:' .. id, epoch)
    redis.call('ZREM', P .. 'history', member(id, epoch))
end
local function drop_finished(id, last)
    for _, epoch in ipairs(redis.call('ZRANGEBYSCORE', P .. 'runs:' .. id, '-inf', last)) do
        if redis.call('HGET', run_key(id, epoch), 'finished') ~= '' then drop(id, epoch) end
    end
end
local function forget(owner)
    redis.call('HDEL', P .. 'leases', owner)
    redis.call('HDEL', P .. 'since', owner)
end
local function blank(id) redis.call('HSET', P .. 'task:' .. id, {_BLANK}) end
local function state(id) return redis.call('HMGET', P .. 'task:' .. id, {_fields(STATE)}) end
local function run(id, epoch) return redis.call('HMGET', run_key(id, epoch), {_fields(RUN)}) end
"""

OPEN = """
redis.call('HSETNX', P .. 'meta', 'revision', 0)
redis.call('HSETNX', P .. 'meta', 'schema', ARGV[2])
return redis.call('HGET', P .. 'meta', 'schema')
"""

FETCH = """
local born = redis.call('HGET', P .. 'meta', 'born')
if not born then
    born = whole(now())
    redis.call('HSET', P .. 'meta', 'born', born)
end
local revision = tonumber(redis.call('HGET', P .. 'meta', 'revision') or '0')
local seen = tonumber(ARGV[2])
if seen > revision then seen = 0 end
local limit = tonumber(ARGV[3])
local news, more = {}, 0
if limit > 0 and revision > seen then
    local found = redis.call('ZRANGEBYSCORE', P .. 'revisions', '(' .. whole(seen), '+inf', 'WITHSCORES',
        'LIMIT', 0, limit)
    for i = 1, #found, 2 do
        local key = P .. 'task:' .. found[i]
        news[#news + 1] = {found[i], redis.call('HMGET', key, 'removed', 'definition', 'hash'), state(found[i])}
    end
    if #news == limit then
        revision = tonumber(found[#found])
        more = 1
    end
end
local states = {}
for _, asked in ipairs(cjson.decode(ARGV[4])) do
    local there = redis.call('HMGET', P .. 'task:' .. asked[1], 'removed', 'version')
    if there[1] == '0' and there[2] ~= asked[2] then states[#states + 1] = {asked[1], state(asked[1])} end
end
return cjson.encode({whole(now()), whole(revision), more, news, states, all_paused(), born})
"""

DEFINE = """
local states = {}
for _, wanted in ipairs(cjson.decode(ARGV[2])) do
    local id, definition, hash, paused = wanted[1], wanted[2], wanted[3], wanted[4]
    local key = P .. 'task:' .. id
    local there = redis.call('HMGET', key, 'removed', 'hash')
    if there[1] ~= '0' or there[2] ~= hash then
        if not there[1] then
            redis.call('HSET', key, 'epoch', '0')
            blank(id)
        end
        if there[1] ~= '0' then redis.call('HSET', key, 'paused', paused) end
        redis.call('HSET', key, 'definition', definition, 'hash', hash, 'removed', '0')
        bump(id)
    end
    states[#states + 1] = {id, state(id)}
end
return cjson.encode(states)
"""

CHANGE = """
local states = {}
for _, change in ipairs(cjson.decode(ARGV[2])) do
    local id, fields, seen = change[1], change[2], change[3]
    local there = redis.call('HMGET', P .. 'task:' .. id, 'removed', 'hash')
    if there[1] == '0' and (seen == '' or there[2] == seen) then
        if #fields > 0 then redis.call('HSET', P .. 'task:' .. id, unpack(fields)) end
        bump(id)
        states[#states + 1] = {id, state(id)}
    end
end
return cjson.encode(states)
"""

REMOVE = """
for _, id in ipairs(cjson.decode(ARGV[2])) do
    if redis.call('HGET', P .. 'task:' .. id, 'removed') == '0' then
        blank(id)
        redis.call('HSET', P .. 'task:' .. id, 'removed', '1', 'definition', '', 'hash', '')
        bump(id)
        drop_finished(id, '+inf')
    end
end
return '{}'
"""

PAUSE_ALL = """
if all_paused() == (ARGV[2] == '1') then return 0 end
redis.call('HSET', P .. 'meta', 'paused', ARGV[2])
redis.call('HINCRBY', P .. 'meta', 'revision', 1)
return 1
"""

ASSIGN = """
local versions = {}
for _, assignment in ipairs(cjson.decode(ARGV[2])) do
    local id, seen, fields = assignment[1], assignment[2], assignment[3]
    local there = redis.call('HMGET', P .. 'task:' .. id, 'removed', 'version')
    if there[1] == '0' and there[2] == seen then
        if #fields > 0 then redis.call('HSET', P .. 'task:' .. id, unpack(fields)) end
        versions[#versions + 1] = {id, redis.call('HINCRBY', P .. 'task:' .. id, 'version', 1)}
    end
end
return cjson.encode(versions)
"""

CLAIM = """
local owner, token = ARGV[2], ARGV[3]
local is_open = alive(owner, now()) and not all_paused()
local won = {}
for _, claim in ipairs(cjson.decode(ARGV[4])) do
    local id, seen, slot, attempt, started = claim[1], claim[2], claim[3], claim[4], claim[5]
    local key = P .. 'task:' .. id
    local there = redis.call('HMGET', key, 'removed', 'version', 'status', 'owner', 'token', 'epoch')
    if there[3] == 'running' then
        if there[4] == owner and there[5] == token then won[#won + 1] = {id, there[6]} end
    elseif is_open and there[1] == '0' and there[2] == seen then
        local epoch = whole(redis.call('HINCRBY', key, 'epoch', 1))
        redis.call('HINCRBY', key, 'version', 1)
        redis.call('HSET', key, 'status', 'running', 'owner', owner, 'token', token, 'run_requested', '0',
            'slot', slot, 'attempt', attempt, 'first_run_at', claim[6], 'last_run_at', claim[7], 'retry_at', claim[8])
        redis.call('HSET', run_key(id, epoch), 'slot', slot, 'attempt', attempt, 'owner', owner, 'started', started,
            'finished', '', 'status', 'running', 'result', '', 'error', '', 'late', '0')
        redis.call('ZADD', P .. 'runs:' .. id, epoch, epoch)
        redis.call('ZADD', P .. 'history', started, member(id, epoch))
        redis.call('SADD', P .. 'open:' .. owner, member(id, epoch))
        redis.call('SADD', P .. 'owners', owner)
        won[#won + 1] = {id, epoch}
    end
end
return cjson.encode(won)
"""

FINISH = """
local owner = ARGV[2]
local recorded = {}
for _, outcome in ipairs(cjson.decode(ARGV[3])) do
    local id, epoch, finished, status, result = outcome[1], outcome[2], outcome[3], outcome[4], outcome[5]
    local shown, error, success, retry_at, attempt = outcome[6], outcome[7], outcome[8], outcome[9], outcome[10]
    local key = P .. 'task:' .. id
    local kept = is_run_by(owner, id, epoch)
    if kept then
        redis.call('HSET', key, 'status', status, 'error_message', error, 'retry_at', retry_at, 'attempt', attempt,
            'owner', '')
        if status == 'success' then redis.call('HSET', key, 'result', result, 'last_success_at', success) end
        if outcome[12] ~= '' then redis.call('HSET', key, 'consumed', outcome[12]) end
        redis.call('HINCRBY', key, 'version', 1)
    end
    local row = redis.call('HMGET', run_key(id, epoch), 'owner', 'finished', 'late')
    if row[1] == owner and (row[2] == '' or row[3] == '1') then
        redis.call('HSET', run_key(id, epoch), 'finished', finished, 'result', shown, 'late', kept and '0' or '1')
        if row[2] == '' then redis.call('HSET', run_key(id, epoch), 'status', status, 'error', error) end
        close(id, epoch, owner)
    end
    if kept or (row[1] == owner and row[2] ~= '' and row[3] == '0') then recorded[#recorded + 1] = {id, epoch} end
    if outcome[11] ~= '0' then drop_finished(id, outcome[11]) end
end
return cjson.encode(recorded)
"""

RENEW = """
local owner, at = ARGV[2], now()
local till = at + tonumber(ARGV[3])
local since = redis.call('HGET', P .. 'since', owner)
if not since then
    since = at
elseif alive(owner, at) then
    since = tonumber(since)
else
    since = math.max(at, tonumber(since) + 1)
end
redis.call('HSET', P .. 'leases', owner, whole(till))
redis.call('HSET', P .. 'since', owner, whole(since))
for _, other in ipairs(redis.call('HKEYS', P .. 'leases')) do
    if not alive(other, at - tonumber(ARGV[4])) then forget(other) end
end
return {whole(at), whole(till), whole(since)}
"""

INSTANCES = """
local found = {}
for _, owner in ipairs(redis.call('HKEYS', P .. 'leases')) do
    if alive(owner, now()) then
        found[#found + 1] = {owner, redis.call('HGET', P .. 'since', owner), redis.call('HGET', P .. 'leases', owner)}
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
for _, id in ipairs(cjson.decode(ARGV[2])) do
    for _, epoch in ipairs(redis.call('ZRANGE', P .. 'runs:' .. id, 0, -1)) do found[#found + 1] = {id, epoch} end
end
return cjson.encode(found)
"""

RUNS = """
local found = {}
for _, one in ipairs(cjson.decode(ARGV[2])) do
    local row = run(one[1], one[2])
    if row[2] then found[#found + 1] = {one[1], one[2], row} end
end
return cjson.encode(found)
"""

FIND_DEAD_RUNS = """
local at, left = now(), tonumber(ARGV[2])
local found = {}
for _, owner in ipairs(redis.call('SMEMBERS', P .. 'owners')) do
    if not alive(owner, at) then
        for _, open in ipairs(redis.call('SMEMBERS', P .. 'open:' .. owner)) do
            if left == 0 then return cjson.encode(found) end
            left = left - 1
            local id, epoch = string.sub(open, 1, -18), whole(tonumber(string.sub(open, -16)))
            found[#found + 1] = {id, epoch, run(id, epoch)}
        end
    end
end
return cjson.encode(found)
"""

REAP = """
local at = now()
local reaped, dead = {}, {}
for _, outcome in ipairs(cjson.decode(ARGV[2])) do
    local id, epoch, owner, error = outcome[1], outcome[2], outcome[3], outcome[4]
    local row = redis.call('HMGET', run_key(id, epoch), 'owner', 'finished')
    if row[1] == owner and row[2] == '' and not alive(owner, at) then
        dead[owner] = true
        redis.call('HSET', run_key(id, epoch), 'finished', whole(at), 'status', 'failed', 'error', error, 'late', '1')
        close(id, epoch, owner)
        if is_run_by(owner, id, epoch) then
            local key = P .. 'task:' .. id
            redis.call('HSET', key, 'status', 'failed', 'error_message', error, 'retry_at', outcome[5],
                'attempt', outcome[6], 'owner', '')
            redis.call('HINCRBY', key, 'version', 1)
        end
        reaped[#reaped + 1] = {id, epoch}
    end
end
for owner, _ in pairs(dead) do forget(owner) end
return cjson.encode(reaped)
"""
