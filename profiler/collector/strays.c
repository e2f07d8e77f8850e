/* Processes of the tree that have no agent. */
#include "profiler/collector/strays.h"

#include <inttypes.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/collector/account_rest.h"
#include "profiler/collector/cpu_time.h"

enum { PROGRAMS_NAMED = 32 };

struct prof_stray {
    uint32_t pid;
    uint32_t program; /* index */
    int pidfd;        /* negative: ended by its clock alone */
    int counter;      /* counts its CPU time; negative: refused */
    uint64_t start_ns;
    uint64_t before_ns, now_ns; /* CPU time: at the start, last read */
    uint64_t count_ns;          /* of the counter, when that was read */
};

struct prof_stray_program {
    enum obstacle obstacle;
    uint32_t path; /* string */
    uint32_t count;
    uint64_t cpu_ns;
};

bool prof_strays_read(const char *text, struct prof_stray_news *news)
{
    unsigned obstacle;
    int path = 0;
    if (sscanf(text, "%u %" SCNu32 " %n", &obstacle, &news->pid, &path) != 2 ||
        path == 0 || obstacle == OBSTACLE_NONE || obstacle >= OBSTACLE_COUNT)
        return false;
    news->obstacle = (enum obstacle)obstacle;
    news->path = text + path;
    return true;
}

void prof_strays_init(
    struct prof_strays *strays, struct prof_profile *profile,
    uint32_t value_cpu, uint32_t value_wall)
{
    *strays = (struct prof_strays){
        .profile = profile,
        .value_cpu = value_cpu,
        .value_wall = value_wall,
        .live = {.row_bytes = sizeof(struct prof_stray)},
        .programs = {.row_bytes = sizeof(struct prof_stray_program)}};
}

static struct prof_stray *stray_at(struct prof_strays *strays, uint32_t i)
{
    return table_row(&strays->live, i);
}

static struct prof_stray_program *program_at(
    struct prof_strays *strays, uint32_t i)
{
    return table_row(&strays->programs, i);
}

/*
 * What a process used cannot be read any more when its parent has waited for
 * it, which may be before we look: a perf event keeps the count. It counts
 * all modes, whatever is excluded, and asks for no privilege. In a virtual
 * machine it also counts what the host has kept for itself, which the kernel's
 * figure leaves out: so it is asked only for what came after the last look.
 */
static int open_counter(uint32_t pid)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof attr,
        .config = PERF_COUNT_SW_TASK_CLOCK,
        .inherit = 1,
        .inherit_thread = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1};
    return (int)syscall(
        SYS_perf_event_open, &attr, (pid_t)pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static void release(struct prof_stray *stray)
{
    if (stray->pidfd >= 0)
        (void)close(stray->pidfd);
    if (stray->counter >= 0)
        (void)close(stray->counter);
}

/* Take it out of the list; the last one takes its place. */
static void forget(struct prof_strays *strays, uint32_t i)
{
    struct prof_stray *stray = stray_at(strays, i);
    release(stray);
    *stray = *stray_at(strays, --strays->live.count);
}

void prof_strays_fini(struct prof_strays *strays)
{
    while (strays->live.count > 0)
        forget(strays, 0);
    table_fini(&strays->live);
    table_fini(&strays->programs);
}

static uint32_t find_program(
    struct prof_strays *strays, const struct prof_stray_news *news)
{
    struct prof_stray_program program = {
        .obstacle = news->obstacle,
        .path = prof_profile_string(strays->profile, news->path)};
    for (uint32_t i = 0; i < strays->programs.count; i++) {
        const struct prof_stray_program *known = program_at(strays, i);
        if (known->obstacle == program.obstacle && known->path == program.path)
            return i;
    }
    return table_add(&strays->programs, &program);
}

static void add(
    struct prof_strays *strays, uint32_t pid,
    const struct prof_stray_news *news, uint64_t before_ns)
{
    (void)prof_strays_drop(strays, pid);
    struct prof_stray stray = {
        .pid = pid,
        .program = find_program(strays, news),
        .start_ns = clock_now_ns(CLOCK_MONOTONIC),
        .before_ns = before_ns,
        .now_ns = before_ns};
    if (stray.program == TABLE_NONE)
        return;
    if (strays->live.count >= PROF_STRAYS) {
        program_at(strays, stray.program)->count++;
        return;
    }
    stray.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    stray.counter = open_counter(pid);
    if (table_add(&strays->live, &stray) == TABLE_NONE)
        release(&stray);
}

uint64_t prof_strays_add(
    struct prof_strays *strays, uint32_t pid,
    const struct prof_stray_news *news)
{
    uint64_t now_ns = prof_process_cpu_ns(pid);
    add(strays, pid, news, now_ns);
    return now_ns;
}

void prof_strays_follow(
    struct prof_strays *strays, uint32_t pid,
    const struct prof_stray_news *news)
{
    add(strays, pid, news, 0);
}

uint64_t prof_strays_drop(struct prof_strays *strays, uint32_t pid)
{
    for (uint32_t i = 0; i < strays->live.count; i++) {
        uint64_t before_ns = stray_at(strays, i)->before_ns;
        if (stray_at(strays, i)->pid == pid) {
            forget(strays, i);
            return before_ns;
        }
    }
    return 0;
}

/* ---- the account of one ---- */

static void add_sample(
    struct prof_strays *strays, uint32_t thread, const char *label,
    uint64_t used_ns)
{
    char name[64];
    struct prof_sample sample = {
        .time_ns = clock_now_ns(CLOCK_MONOTONIC), .thread = thread};
    (void)snprintf(name, sizeof name, "[not sampled: %s]", label);
    sample.values[strays->value_cpu] = used_ns;
    if (strays->value_wall != PROF_NONE)
        sample.values[strays->value_wall] = used_ns;
    prof_account_add_rest(strays->profile, name, &sample);
}

static void close_account(
    struct prof_strays *strays, const struct prof_stray *stray)
{
    struct prof_profile *profile = strays->profile;
    struct prof_stray_program *program = program_at(strays, stray->program);
    uint64_t used_ns = stray->now_ns - stray->before_ns;
    char path[128];
    (void)snprintf(
        path, sizeof path, "%s", prof_profile_text(profile, program->path));
    const char *slash = strrchr(path, '/');
    struct prof_process process = {
        .pid = stray->pid,
        .name = prof_profile_string(profile, slash ? slash + 1 : path),
        .path = program->path,
        .start_ns = stray->start_ns,
        .end_ns = clock_now_ns(CLOCK_MONOTONIC),
        .cpu_ns = used_ns};
    struct prof_thread thread = {
        .process = prof_profile_add_process(profile, &process),
        .tid = stray->pid,
        .name = process.name};
    program->count++;
    program->cpu_ns += used_ns;
    prof_profile_add_loss(profile, PROF_LOSS_NOT_SAMPLED, 1);
    uint32_t id = prof_profile_add_thread(profile, &thread);
    if (id != PROF_NONE && used_ns > 0)
        add_sample(strays, id, obstacle_label(program->obstacle), used_ns);
}

static uint64_t read_counter(const struct prof_stray *stray)
{
    uint64_t count_ns;
    return stray->counter >= 0 &&
                   read(stray->counter, &count_ns, sizeof count_ns) ==
                       (ssize_t)sizeof count_ns
               ? count_ns
               : 0;
}

static bool has_ended(struct prof_stray *stray)
{
    struct pollfd death = {.fd = stray->pidfd, .events = POLLIN};
    bool is_dead = stray->pidfd >= 0 && poll(&death, 1, 0) > 0;
    uint64_t now_ns = prof_process_cpu_ns(stray->pid);
    uint64_t count_ns = read_counter(stray);
    if (now_ns == 0 && count_ns > stray->count_ns)
        stray->now_ns += count_ns - stray->count_ns;
    if (now_ns > stray->now_ns) {
        stray->now_ns = now_ns;
        stray->count_ns = count_ns;
    }
    return is_dead || now_ns == 0;
}

void prof_strays_look(struct prof_strays *strays)
{
    for (uint32_t i = strays->live.count; i-- > 0;) {
        if (has_ended(stray_at(strays, i))) {
            close_account(strays, stray_at(strays, i));
            forget(strays, i);
        }
    }
}

/* ---- the end ---- */

static void note_program(
    struct prof_profile *profile, const struct prof_stray_program *program)
{
    char note[400];
    (void)snprintf(
        note, sizeof note,
        "'%s' was not sampled (%" PRIu32 " process%s, %.3f s of CPU time): %s",
        prof_profile_text(profile, program->path), program->count,
        program->count == 1 ? "" : "es", (double)program->cpu_ns / 1e9,
        obstacle_reason(program->obstacle));
    prof_profile_add_note(profile, note);
}

void prof_strays_finish(struct prof_strays *strays)
{
    prof_strays_look(strays);
    while (strays->live.count > 0) {
        close_account(strays, stray_at(strays, 0));
        forget(strays, 0);
    }
    uint32_t unnamed = 0;
    for (uint32_t i = 0; i < strays->programs.count; i++) {
        const struct prof_stray_program *program = program_at(strays, i);
        if (program->count > 0 && i < PROGRAMS_NAMED)
            note_program(strays->profile, program);
        else
            unnamed += program->count;
    }
    char note[80];
    (void)snprintf(
        note, sizeof note, "%" PRIu32 " processes more were not sampled",
        unnamed);
    if (unnamed > 0)
        prof_profile_add_note(strays->profile, note);
    strays->programs.count = 0;
}
