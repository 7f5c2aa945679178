"""The scripts of the Redis backend that remove tasks, and drop their tombstones; see `scripts`."""

REMOVE = """
local kept_until, longest = 0, now() + tonumber(ARGV[2])
for _, text in ipairs(call('HVALS', P .. 'leases')) do
    local till = tonumber(text)
    -- One that ends later than any can is of a clock that was wrong.
    if till and till <= longest then kept_until = math.max(kept_until, till) end
end
local left = {}
for _, row in rows(3) do
    local id, seen, seen_paused = unpack(row)
    local removed, hash, paused = get(id, 'removed', 'hash', 'paused')
    if removed == '0' and seen and (hash ~= seen or paused ~= seen_paused) then
        left[#left + 1] = id
    elseif exists(id) and removed ~= '1' then
        restore(id)
        blank(id)
        put(id, 'removed', '1', 'definition', '', 'hash', '')
        local revision = next_revision(id)
        call('ZREM', P .. 'revisions', id)
        call('ZADD', P .. 'removed', revision, id)
        call('ZADD', P .. 'kept', whole(kept_until), id)
        drop_finished(id, '+inf')
    end
end
return cjson.encode(left)
"""

# A tombstone whose task has a run in flight is looked at again a lease later; one that makes no sense never.
DROP_TOMBSTONES = """
local at, limit, highest, pause = now(), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local dropped = 0
local function raise(name, value)
    if value > number(name) then call('HSET', P .. 'meta', name, whole(value)) end
end
local function is_running(id)
    for _, epoch in ipairs(try('ZRANGE', P .. 'runs:' .. id, 0, -1) or {}) do
        if get_run(id, epoch, 'finished') == '' then return true end
    end
end
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'kept', '-inf', whole(at), 'LIMIT', 0, limit)) do
    local removed, version, epoch = get(id, 'removed', 'version', 'epoch')
    local last = counts(version) and counts(epoch) and math.max(tonumber(version), tonumber(epoch))
    local is_needed = is_running(id)
    if is_needed then
        call('ZADD', P .. 'kept', whole(at + pause), id)
    else
        call('ZREM', P .. 'kept', id)
    end
    if not is_needed and removed == '1' and last and last <= highest then
        raise('dropped_version', last)
        raise('dropped_revision', tonumber(call('ZSCORE', P .. 'removed', id) or '0'))
        call('DEL', P .. 'task:' .. id)
        call('ZREM', P .. 'removed', id)
        dropped = dropped + 1
    end
end
return dropped
"""

# Of former schemas: one had tombstones in `revisions`, too, and both had less fields.
UPGRADE = """
for _, id in rows(2) do
    if exists(id) then
        try('HSETNX', P .. 'task:' .. id, 'runs', 0)
        try('HSETNX', P .. 'task:' .. id, 'consecutive_failures', 0)
    end
    local revision = call('ZSCORE', P .. 'revisions', id)
    if revision and get(id, 'removed') == '1' then
        call('ZREM', P .. 'revisions', id)
        call('ZADD', P .. 'removed', revision, id)
        call('ZADD', P .. 'kept', 0, id)
    end
end
return '{}'
"""
