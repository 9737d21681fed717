-- The load of `python -m bench`:  wrk -s bench/loads/requests.lua URL -- plain|browser|pipelined|json FILE|routes COUNT
-- Paths, names and header values change from request to request, so that no server gains by remembering an answer.

local kinds = 512 -- different requests; a prime stride below keeps neighbours unlike
local PIPELINED = 16

local words = {
  "ada", "grace", "linus", "guido", "margaret", "alan", "barbara", "edsger", "donald", "frances", "hedy", "ken",
}

local function name(i)
  return words[i % #words + 1] .. "-" .. (i * 7919) % 100003
end

local function plain(i)
  return "GET /hello/" .. name(i) .. " HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port .. "\r\n\r\n"
end

-- What Chromium sends for a page: twelve fields.
local function browser(i)
  local major = 120 + i % 37
  return table.concat({
    "GET /hello/" .. name(i) .. " HTTP/1.1",
    "Host: " .. wrk.host .. ":" .. wrk.port,
    "Connection: keep-alive",
    'sec-ch-ua: "Chromium";v="' .. major .. '", "Not/A)Brand";v="24"',
    "sec-ch-ua-mobile: ?0",
    'sec-ch-ua-platform: "Linux"',
    "Upgrade-Insecure-Requests: 1",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/"
      .. major .. ".0.0.0 Safari/537.36",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Referer: http://" .. wrk.host .. ":" .. wrk.port .. "/hello/" .. name(i + 1),
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Accept-Language: " .. ({ "en-GB", "de-DE", "fr-FR", "pt-BR" })[i % 4 + 1] .. ",en;q=0.8",
    "Cookie: theme=" .. ({ "dark", "light" })[i % 2 + 1] .. "; visitor=" .. (i * 104729) % 9999991,
    "\r\n",
  }, "\r\n")
end

local function pipelined(i)
  local heads = {}
  for k = 1, PIPELINED do
    heads[k] = plain(i * PIPELINED + k)
  end
  return table.concat(heads)
end

-- FILE has lines, each the value of a signed cookie.
local function json(file)
  local cookies = {}
  for line in io.lines(file) do
    cookies[#cookies + 1] = line
  end
  return function(i)
    return "GET /item/" .. (i * 7919) % 100003 .. " HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port
      .. "\r\nCookie: theme=" .. ({ "dark", "light" })[i % 2 + 1] .. "; visitor=" .. cookies[i % #cookies + 1]
      .. "\r\n\r\n"
  end
end

-- Evenly over COUNT routes.  As many different requests for few as for many: each of 10,000 is asked for once,
-- before one comes again.
local function routes(count)
  kinds = 10000
  return function(i)
    return "GET /place-" .. (i * 7919) % count .. "/" .. name(i) .. " HTTP/1.1\r\nHost: " .. wrk.host .. ":"
      .. wrk.port .. "\r\n\r\n"
  end
end

local requests, turn = {}, 0

function init(args)
  local build = ({ plain = plain, browser = browser, pipelined = pipelined })[args[1]]
    or ({ json = json, routes = routes })[args[1]](args[2])
  for i = 1, kinds do
    requests[i] = build(i)
  end
end

function request()
  turn = (turn + 211) % kinds
  return requests[turn + 1]
end
