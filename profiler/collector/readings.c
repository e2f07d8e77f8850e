/* What a tree of processes uses. */
#include "profiler/collector/readings.h"

#include "profiler/base/clock.h"
#include "profiler/collector/cpu_time.h"
#include "profiler/collector/process_files.h"

void prof_readings_init(struct prof_readings *readings)
{
    *readings = (struct prof_readings){.used.row_bytes = sizeof(uint64_t)};
}

void prof_readings_fini(struct prof_readings *readings)
{
    table_fini(&readings->used);
}

/* What the process has used since it was looked at last; nothing the first
   time, as it may be older than we know. */
static uint64_t cpu_since(
    struct prof_readings *readings, uint32_t process, uint32_t pid)
{
    static const uint64_t none = 0;
    while (readings->used.count <= process) {
        if (table_add(&readings->used, &none) == TABLE_NONE)
            return 0;
    }
    uint64_t *used_ns = table_row(&readings->used, process);
    uint64_t now_ns = prof_process_cpu_ns(pid), before_ns = *used_ns;
    *used_ns = now_ns;
    return before_ns > 0 && now_ns > before_ns ? now_ns - before_ns : 0;
}

void prof_readings_take(
    struct prof_readings *readings, struct prof_profile *profile)
{
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    struct prof_reading reading = {
        .time_ns = now_ns,
        .span_ns = readings->latest_ns > 0 ? now_ns - readings->latest_ns : 0};
    uint32_t count = prof_profile_process_count(profile);
    for (uint32_t i = 0;
         i < count && reading.process_count < PROF_READINGS_PROCESSES; i++) {
        const struct prof_process *process = prof_profile_process(profile, i);
        uint32_t threads;
        uint64_t resident_bytes;
        if (process->end_ns != 0 || process->pid == 0 ||
            !prof_process_files_sizes(process->pid, &threads, &resident_bytes))
            continue;
        reading.process_count++;
        reading.thread_count += threads;
        reading.resident_bytes += resident_bytes;
        reading.cpu_ns += cpu_since(readings, i, process->pid);
    }
    if (reading.process_count == 0)
        return; /* the first one is read as soon as it is known */
    readings->latest_ns = now_ns;
    if (reading.thread_count > readings->most_threads)
        readings->most_threads = reading.thread_count;
    if (reading.resident_bytes > readings->most_resident_bytes)
        readings->most_resident_bytes = reading.resident_bytes;
    if (reading.span_ns > 0)
        (void)prof_profile_add_reading(profile, &reading);
}
