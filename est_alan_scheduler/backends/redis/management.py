"""The scripts of the Redis backend that define and change tasks; see `scripts`."""

DEFINE = """
local states = {}
for _, wanted in rows(2) do
    local id, definition, hash, paused, seen = unpack(wanted)
    local removed, old_hash = get(id, 'removed', 'hash')
    local found = removed == '0' and old_hash or ''
    local yields = seen and found ~= seen and found ~= hash
    local is_other = not removed and exists(id) and not is_hash(id)  -- until it is removed
    if not is_other and not yields and (removed ~= '0' or old_hash ~= hash) then
        if not removed then
            local last = whole(number('dropped_version'))
            put(id, 'epoch', last, 'version', last)
            blank(id)
        elseif removed == '1' then
            call('ZREM', P .. 'removed', id)
            call('ZREM', P .. 'kept', id)
        end
        if removed ~= '0' then put(id, 'paused', paused) end
        put(id, 'definition', definition, 'hash', hash, 'removed', '0')
        next_revision(id)
    end
    if not yields then states[#states + 1] = {id, state(id)} end
end
return cjson.encode(states)
"""

CHANGE = """
local states = {}
for _, change in rows(2) do
    local id, fields, seen, seen_paused = unpack(change)
    local removed, hash, paused = get(id, 'removed', 'hash', 'paused')
    if removed == '0' and (seen == '' or hash == seen) and (seen_paused == '' or paused == seen_paused) then
        if #fields > 0 then put(id, unpack(fields)) end
        next_revision(id)
        states[#states + 1] = {id, state(id)}
    end
end
return cjson.encode(states)
"""
