-- The deliveries that instructions.sh posts: a gym's events in order of time, the same at every run.
--
-- Each minute a member checks in, two that came before are at a machine, one checks out. So four
-- events belong to each minute, and where a number stands in the row says all about its event.
-- Arguments after `--`: the secret, the first number, how many, and when number 0 happened (ms).

local EVENTS = {
  { "GYM_CHECKIN", 0 },
  { "EQUIPMENT_CHECKIN", 15 },
  { "EQUIPMENT_CHECKIN", 35 },
  { "GYM_CHECKOUT", 70 },
}
local MEMBERS = 2000
-- Prime to MEMBERS: all come in turn, and neighbours in time are none in the tables.
local STRIDE = 787
local MINUTE_MS = 60000

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(arguments)
  local secret
  secret, number, left, began = arguments[1], tonumber(arguments[2]), tonumber(arguments[3]), arguments[4]
  headers = { ["x-api-key"] = secret, ["content-type"] = "application/json" }
  accepted, other = 0, 0
end

function request()
  local kind, after = unpack(EVENTS[number % 4 + 1])
  local minute = math.floor(number / 4)
  local member = (minute - after) * STRIDE % MEMBERS
  local body = string.format(
    '{"accountId":"00000000-0000-4000-8000-%012x","timestamp":%.0f,"type":"%s"}',
    member, began + minute * MINUTE_MS, kind)
  number = number + 1
  return wrk.format("POST", nil, headers, body)
end

function response(status, _, body)
  if status == 200 and body:find('"accepted"', 1, true) then
    accepted = accepted + 1
  else
    other = other + 1
  end
  left = left - 1
  -- wrk goes on for its time whatever its threads do, unless it is interrupted: its main thread, so a
  -- second time when this one has ended.
  if left == 0 then io.popen("kill -INT $PPID; sleep 0.3; kill -INT $PPID 2>/dev/null") end
end

function done()
  local accepted, other = 0, 0
  for _, thread in ipairs(threads) do
    accepted, other = accepted + thread:get("accepted"), other + thread:get("other")
  end
  print(string.format("accepted %d, other %d", accepted, other))
end
