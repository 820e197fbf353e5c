-- Sends the bytes of a file as JSON with every call.
--
-- wrk --script post.lua http://127.0.0.1:8080/path -- FILE

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  wrk.method = "POST"
  wrk.body = file:read("*a")
  wrk.headers["Content-Type"] = "application/json"
  file:close()
end
