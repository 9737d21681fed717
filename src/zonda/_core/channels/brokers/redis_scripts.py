"""What Redis itself does, each in one step: the Lua scripts of the Redis broker.

Of a topic there is `{topic}:meta` (a hash: epoch, top, run), `{topic}:kept` (a list of entries as they are
published, the oldest first, whose offsets are without holes up to top) and `{topic}:key:KEY` (the position
that was published under a key).  All presence is under one hash tag, `{presence}:`: `alive` (nodes by the
time until which they count as there), `nodes:TOPIC` and `topics:NODE` (sets), `records:NODE TOPIC` (a hash:
client -> info).
"""

from hashlib import sha1


class Script:
    """`sha` is the name under which Redis knows it once it is loaded."""

    __slots__ = ("sha", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = sha1(text.encode(), usedforsecurity=False).hexdigest()


# A number as digits: Lua's own way loses them from 1e14 on.
_GROUND = """
local function digits(number) return string.format('%.0f', number) end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

# `run` names the server's process where nothing says that history outlives it.  Of what an earlier process
# wrote some may be lost (a snapshot is older than what was confirmed): that is another epoch.
# Meta stays longer than the entries: that nothing is kept is no loss of what came behind it.
_TOPIC = (
    _GROUND
    + """
local meta, kept = KEYS[1], KEYS[2]
local run, fresh, size, ttl, meta_ttl = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local known = redis.call('HMGET', meta, 'epoch', 'top', 'run')
local epoch, top = known[1], tonumber(known[2])
if not epoch or (run ~= '' and known[3] ~= run) then
  epoch, top = fresh, 0
  redis.call('DEL', kept)
  redis.call('HSET', meta, 'epoch', epoch, 'top', 0, 'run', run)
end
redis.call('PEXPIRE', meta, meta_ttl)
"""
)

#: KEYS: meta, kept, key.  ARGV: run, fresh epoch, size, ttl, ttl of meta, ttl of the key, channel, head, body
#: (times in ms).  Gives epoch, offset, and 1 if it had been published before.
PUBLISH = Script(
    _TOPIC
    + """
local key, key_ttl, channel, head, body = KEYS[3], ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local before = redis.call('GET', key)
if before then
  local of, offset = string.match(before, '^(%S+) (%d+)$')
  if of == epoch then return {epoch, tonumber(offset), 1} end
end
local offset = digits(redis.call('HINCRBY', meta, 'top', 1))
local entry = head .. ' ' .. epoch .. ' ' .. offset .. ' ' .. digits(now) .. '\\n' .. body
redis.call('RPUSH', kept, entry)
redis.call('LTRIM', kept, -size, -1)
redis.call('PEXPIRE', kept, ttl)
redis.call('SET', key, epoch .. ' ' .. offset, 'PX', key_ttl)
redis.call('PUBLISH', channel, entry)
return {epoch, tonumber(offset), 0}
"""
)

#: KEYS: meta, kept.  ARGV: run, fresh epoch, size, ttl, ttl of meta, epoch asked for ('': none), offset asked
#: for, most (-1: all).  Gives epoch, top, 1 if recovered, the entries.
HISTORY = Script(
    _TOPIC
    + """
local since_epoch, since, most = ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
if since_epoch == '' and most == 0 then return {epoch, top, 1, {}} end
while true do
  local oldest = redis.call('LINDEX', kept, 0)
  if not oldest then break end
  local at = tonumber(string.match(oldest, '^[^\\n]* (%d+)\\n'))
  if at and now - at < tonumber(ttl) then break end
  redis.call('LPOP', kept)
end
local count = math.min(redis.call('LLEN', kept), size)
if since_epoch ~= '' then
  local behind = top - since
  if since_epoch ~= epoch or behind < 0 or behind > count then return {epoch, top, 0, {}} end
  count = behind
elseif most >= 0 then
  count = math.min(count, most)
end
if count == 0 then return {epoch, top, 1, {}} end
return {epoch, top, 1, redis.call('LRANGE', kept, -count, -1)}
"""
)

#: KEYS: key.  ARGV: ttl of the key, channel, message.  Gives 1 if it had been published before.
PUBLISH_ONCE = Script("""
if not redis.call('SET', KEYS[1], '', 'NX', 'PX', ARGV[1]) then return 1 end
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 0
""")

_PRESENCE = (
    _GROUND
    + """
local base = KEYS[1]
local alive = base .. 'alive'
local function records(node, topic) return base .. 'records:' .. node .. ' ' .. topic end
local function forget(node, channel)
  local topics = base .. 'topics:' .. node
  for _, topic in ipairs(redis.call('SMEMBERS', topics)) do
    redis.call('DEL', records(node, topic))
    redis.call('SREM', base .. 'nodes:' .. topic, node)
  end
  redis.call('DEL', topics)
  redis.call('ZREM', alive, node)
  redis.call('PUBLISH', channel, node)
end
-- Gives 1 if the node did not count as there: it is new, or its records have been removed.
local function beat(node, patience)
  return redis.call('ZADD', alive, now + patience, node)
end
"""
)

#: KEYS: base.  ARGV: node, topic, client, info, ms that it stays alive, channel, what is told there.
#: Gives 1 if the node was not known.
JOIN = Script(
    _PRESENCE
    + """
local node, topic = ARGV[1], ARGV[2]
redis.call('SADD', base .. 'nodes:' .. topic, node)
redis.call('SADD', base .. 'topics:' .. node, topic)
redis.call('HSET', records(node, topic), ARGV[3], ARGV[4])
redis.call('PUBLISH', ARGV[6], ARGV[7])
return beat(node, ARGV[5])
"""
)

#: KEYS: base.  ARGV: node, topic, client, channel, what is told there.
LEAVE = Script(
    _PRESENCE
    + """
local node, topic = ARGV[1], ARGV[2]
if redis.call('HDEL', records(node, topic), ARGV[3]) == 1 then
  if redis.call('EXISTS', records(node, topic)) == 0 then
    redis.call('SREM', base .. 'nodes:' .. topic, node)
    redis.call('SREM', base .. 'topics:' .. node, topic)
  end
  redis.call('PUBLISH', ARGV[4], ARGV[5])
end
"""
)

#: KEYS: base.  ARGV: topic.  Gives node, its records (client, info, client, info, ...), node, ...
MEMBERS = Script(
    _PRESENCE
    + """
local found = {}
for _, node in ipairs(redis.call('SMEMBERS', base .. 'nodes:' .. ARGV[1])) do
  local until_ = redis.call('ZSCORE', alive, node)
  if until_ and tonumber(until_) > now then
    found[#found + 1] = node
    found[#found + 1] = redis.call('HGETALL', records(node, ARGV[1]))
  end
end
return found
"""
)

#: KEYS: base.  ARGV: node, ms that it stays alive, channel that is told of nodes that are gone.
#: Gives 1 if the node was not known.  Removes the records of a few nodes that said nothing for too long.
HEARTBEAT = Script(
    _PRESENCE
    + """
local new = beat(ARGV[1], ARGV[2])
for _, node in ipairs(redis.call('ZRANGEBYSCORE', alive, '-inf', now, 'LIMIT', 0, 16)) do
  forget(node, ARGV[3])
end
return new
"""
)

#: KEYS: base.  ARGV: node, channel.
FORGET = Script(_PRESENCE + "forget(ARGV[1], ARGV[2])")

SCRIPTS = (PUBLISH, HISTORY, PUBLISH_ONCE, JOIN, LEAVE, MEMBERS, HEARTBEAT, FORGET)
