-- What a router of hosted models has to do beside routing, in nginx: token, limit, one line each.
local ffi = require "ffi"
ffi.cdef[[ unsigned char *SHA256(const unsigned char *data, size_t length, unsigned char *digest); ]]

local gate, models, lines = {}, {}, {}
local digest = ffi.new("unsigned char[32]")

local function bytes_of(hex)
  return (hex:gsub("..", function(pair) return string.char(tonumber(pair, 16)) end))
end

function gate.load(path)
  for line in io.lines(path) do
    local name, id, sum, limit = line:match("^(.-)\t(.-)\t(.-)\t(.-)$")
    models[name] = { id = id, sum = bytes_of(sum), limit = tonumber(limit) }
  end
end

function gate.admit()
  local model = models[ngx.var.host:match("^[^.]+")]
  if not model then return ngx.exit(404) end
  local said = ngx.var.http_authorization
  if not said or said:sub(1, 7) ~= "Bearer " then return ngx.exit(401) end
  ffi.C.SHA256(said:sub(8), #said - 7, digest)
  if ffi.string(digest, 32) ~= model.sum then return ngx.exit(401) end
  ngx.ctx.model = model
  if ngx.shared.in_flight:incr(model.id, 1, 0) > model.limit then return ngx.exit(429) end
end

function gate.account()
  local model = ngx.ctx.model
  if not model then return end
  ngx.shared.in_flight:incr(model.id, -1)
  lines[#lines + 1] = table.concat(
    { ngx.now(), model.id, ngx.status, ngx.var.request_time, ngx.var.bytes_sent }, "\t")
end

function gate.write_down_every_second(path)
  ngx.timer.every(1, function()
    if #lines == 0 then return end
    local written = lines
    lines = {}
    local file = io.open(path, "a")
    file:write(table.concat(written, "\n"), "\n")
    file:close()
  end)
end

return gate
