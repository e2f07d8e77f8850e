/* The segment of shared memory with the ring. */
#include "profiler/agent/segment.h"

#include "profiler/agent/sig_core.h"
#include "profiler/agent/sys.h"
#include "profiler/agent/tables.h"
#include "profiler/wire/version.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { MAP_BYTES = WIRE_SEGMENT_BYTES + WIRE_TWICE_BYTES };

static void write_limit(int resource, const struct sys_limit *limit)
{
    (void)sys_call4(__NR_prlimit64, 0L, (long)resource, limit, (void *)NULL);
}

/* ---- the reason ---- */

struct sentence {
    char *text;
    uint32_t room, length;
};

static void say(struct sentence *sentence, const char *more)
{
    for (; *more != '\0' && sentence->length + 1 < sentence->room; more++)
        sentence->text[sentence->length++] = *more;
    if (sentence->room > 0)
        sentence->text[sentence->length] = '\0';
}

static void say_number(struct sentence *sentence, uint64_t value)
{
    char digits[24];
    uint32_t at = sizeof digits - 1;
    digits[at] = '\0';
    do
        digits[--at] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    say(sentence, digits + at);
}

/* "NAME is so much" where there is a limit, else what the kernel said. */
static void explain(
    struct sentence *sentence, int resource, const char *name, long error)
{
    uint64_t soft = sys_limit(resource).soft;
    if (soft != UINT64_MAX) {
        say(sentence, " (");
        say(sentence, name);
        say(sentence, " is ");
        say_number(sentence, soft);
    } else {
        say(sentence, " (error ");
        say_number(sentence, (uint64_t)-error);
    }
    say(sentence, ")");
}

/* ---- making ---- */

/*
 * The first blocks once more behind the last, and but for the beginning none of
 * it in a fork's child: the child must not write into its parent's ring. That
 * it crashes it may say there, before it has one of its own.
 */
static long map_ring(int fd)
{
    long base = sys_mmap(
        NULL, MAP_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (sys_is_error(base))
        return base;
    unsigned char *at = (unsigned char *)base;
    if (sys_is_error(sys_mmap(
            at, WIRE_SEGMENT_BYTES, PROT_READ | PROT_WRITE,
            MAP_SHARED | MAP_FIXED, fd, 0)) ||
        sys_is_error(sys_mmap(
            at + WIRE_SEGMENT_BYTES, WIRE_TWICE_BYTES, PROT_READ | PROT_WRITE,
            MAP_SHARED | MAP_FIXED, fd, WIRE_BLOCKS_OFFSET))) {
        (void)sys_munmap(at, MAP_BYTES);
        return -ENOMEM;
    }
    (void)sys_call3(
        __NR_madvise, at + WIRE_SLOTS_OFFSET,
        (long)(MAP_BYTES - WIRE_SLOTS_OFFSET), (long)MADV_DONTFORK);
    prof_core.ring = (struct wire_ring){
        .header = (void *)at,
        .crashes = (void *)(at + WIRE_HEADER_BYTES),
        .slots = (void *)(at + WIRE_SLOTS_OFFSET),
        .descriptors = (void *)(at + WIRE_WORDS_OFFSET),
        .blocks = at + WIRE_BLOCKS_OFFSET};
    return 0;
}

/*
 * RLIMIT_FSIZE holds for shared memory too. A soft limit is lifted for the
 * moment; a hard one is left alone, even by root, who could not put it back
 * when a filter comes between.
 */
static bool set_size(int fd, struct sentence *reason)
{
    struct sys_limit limit = sys_limit(RLIMIT_FSIZE);
    bool is_tight = limit.soft < WIRE_SEGMENT_BYTES;
    if (is_tight && limit.hard < WIRE_SEGMENT_BYTES) {
        say(reason, "no room for the ring of ");
        say_number(reason, WIRE_SEGMENT_BYTES);
        say(reason, " bytes");
        explain(reason, RLIMIT_FSIZE, "RLIMIT_FSIZE", -EFBIG);
        return false;
    }
    struct sys_limit lifted = {limit.hard, limit.hard};
    if (is_tight)
        write_limit(RLIMIT_FSIZE, &lifted);
    long result = sys_call2(__NR_ftruncate, (long)fd, (long)WIRE_SEGMENT_BYTES);
    if (is_tight)
        write_limit(RLIMIT_FSIZE, &limit);
    if (result == 0)
        result = sys_call3(
            __NR_fcntl, (long)fd, (long)F_ADD_SEALS,
            (long)(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
    if (result < 0)
        say(reason, "no shared memory for the ring (ftruncate or fcntl)");
    return result >= 0;
}

int prof_segment_make(char *reason_text, uint32_t reason_bytes)
{
    struct sentence reason = {.text = reason_text, .room = reason_bytes};
    int fd = (int)sys_call2(
        __NR_memfd_create, "watchfire",
        (long)(MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (fd < 0) {
        say(&reason, fd == -EMFILE ? "no descriptor is left for the ring"
                                   : "memfd_create is refused");
        explain(&reason, RLIMIT_NOFILE, "RLIMIT_NOFILE", fd);
        return fd;
    }
    if (!set_size(fd, &reason)) {
        (void)sys_close(fd);
        return -EFBIG;
    }
    long result = map_ring(fd);
    if (result < 0) {
        say(&reason, "no address space for the ring");
        explain(&reason, RLIMIT_AS, "RLIMIT_AS", result);
        (void)sys_close(fd);
        return (int)result;
    }
    prof_core.ring.header->magic = WIRE_MAGIC;
    prof_core.ring.header->version = WIRE_VERSION;
    prof_core.ring.header->pid = prof_core.pid;
    prof_tables_announce();
    return fd;
}

void prof_memory_lacks(const char *what, char *reason, uint32_t reason_bytes)
{
    struct sentence sentence = {.text = reason, .room = reason_bytes};
    say(&sentence, "no memory for ");
    say(&sentence, what);
    explain(&sentence, RLIMIT_AS, "RLIMIT_AS", -ENOMEM);
}

void prof_segment_release(void)
{
    if (prof_core.ring.header != NULL)
        (void)sys_munmap(prof_core.ring.header, MAP_BYTES);
    prof_core.ring = (struct wire_ring){0};
}
