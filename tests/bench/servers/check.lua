-- wrk's: every answer must have the same body; the sums of a run as one line.
local bodies, threads = nil, {}

function setup(thread)
   table.insert(threads, thread)
end

function init(arguments)
   different = 0
end

function response(status, headers, body)
   bodies = bodies or body
   if body ~= bodies or status ~= 200 then
      different = different + 1
   end
end

function done(summary, latency, requests)
   local wrong = 0
   for _, thread in ipairs(threads) do
      wrong = wrong + thread:get("different")
   end
   local errors = summary.errors
   print(string.format("sums %d %d %d %d", summary.requests,
      errors.connect + errors.read + errors.write + errors.timeout +
      errors.status, wrong, latency.max))
end
