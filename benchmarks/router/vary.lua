-- 16,384 requests prepared ahead, 1,000 models or fewer, a different head and length each: nothing repeats.
local requests, sent, count = {}, 0, 16384
local path = os.getenv("BENCH_PATH") or "/v1/vary"
local models = tonumber(os.getenv("BENCH_MODELS"))
local method = os.getenv("BENCH_METHOD") or "POST"

init = function()
  for k = 0, count - 1 do
    local model = k % models
    local headers = {
      ["Host"] = "m" .. model .. ".models.localhost",
      ["Authorization"] = "Bearer token-of-m" .. model .. "-0123456789abcdef0123456789abcdef",
      ["Content-Type"] = "application/json", ["Accept"] = "application/json",
      ["User-Agent"] = "bench", ["X-Request-Id"] = string.format("%016x", k * 2654435761),
    }
    local body = method == "POST"
      and '{"prompt": "Finish my sentence", "seed": 1000}' .. string.rep(" ", (k * 7919) % 900) or nil
    requests[k] = wrk.format(method, path, headers, body)
  end
end

request = function()
  sent = sent + 1
  return requests[sent % count]
end

done = function(summary)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d\n", summary.requests, summary.duration,
    e.connect + e.read + e.write + e.timeout, e.status))
end
