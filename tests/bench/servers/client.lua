-- wrk's, where each thread has one connection: what each has seen so far, into
-- a file that others read meanwhile. Its path is the first argument, its layout
-- is in server_clients.py. Every answer must have the same body.
local ffi = require("ffi")
ffi.cdef [[
struct timespec { long seconds, nanoseconds; };
int clock_gettime(int, struct timespec *);
int open(const char *, int, ...);
void *mmap(void *, size_t, int, int, int, long);
]]
local REALTIME, READ_WRITE, SHARED = 0, 2, 1
local THREAD_WORDS, HEAD_WORDS, BUCKET_SECONDS = 65536, 8, 0.05
local threads, words, body, text, begun = {}, nil, nil, nil, nil
local time = ffi.new("struct timespec[1]")

local function now()
   ffi.C.clock_gettime(REALTIME, time)
   return tonumber(time[0].seconds) + tonumber(time[0].nanoseconds) / 1e9
end

function setup(thread)
   thread:set("number", #threads)
   table.insert(threads, thread)
end

function init(arguments)
   local file = ffi.C.open(arguments[1], READ_WRITE)
   local bytes = (number + 1) * THREAD_WORDS * 8
   local map = ffi.C.mmap(nil, bytes, 3, SHARED, file, 0)
   words = ffi.cast("uint64_t *", map) + number * THREAD_WORDS
   body = nil
end

function request()
   text = text or wrk.format()
   begun = now()
   return text
end

function response(status, _, answer)
   local at = now()
   body = body or answer
   words[0] = words[0] + 1
   if status ~= 200 then
      words[1] = words[1] + 1
   elseif answer ~= body then
      words[2] = words[2] + 1
   end
   local bucket = HEAD_WORDS +
      math.floor(at / BUCKET_SECONDS) % (THREAD_WORDS - HEAD_WORDS)
   local waited_us = (at - begun) * 1e6
   if waited_us > tonumber(words[bucket]) then
      words[bucket] = waited_us
   end
end

function done(summary)
   local errors = summary.errors
   print(string.format("errors %d", errors.connect + errors.read +
      errors.write + errors.timeout))
end
