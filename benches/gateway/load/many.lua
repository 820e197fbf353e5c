-- wrk: each request is the next line of a file, `host path key`; the file's name stands behind `--`.

local requests = {}
local next_one = 0

function init(words)
  for line in io.lines(words[1]) do
    local host, path, key = line:match("^(%S+) (%S+) (%S+)$")
    local fields = { ["Host"] = host, ["x-api-key"] = key }
    requests[#requests + 1] = wrk.format("GET", path, fields)
  end
end

function request()
  next_one = next_one % #requests + 1
  return requests[next_one]
end
