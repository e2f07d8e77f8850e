/* Which crashes were sent, and when. */
#include "exporters/sentry/crash_book.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "exporters/frames.h"
#include "profiler/base/table.h"

enum {
    ENTRIES_MAX = 256, /* crashes that differ; the oldest gives way */
    LINE_BYTES = 64,
    KEY_FRAMES = 5,
};

/* ---- keys ---- */

static uint64_t mix(uint64_t key, const char *text)
{
    /* FNV-1a: the same in every version of the command. */
    for (; *text != '\0'; text++)
        key = (key ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    return (key ^ 0xff) * UINT64_C(0x100000001b3);
}

static uint64_t mix_frames(
    const struct prof_crash *crash, uint64_t key, bool are_own_only,
    uint32_t *count)
{
    const struct prof_profile *profile = crash->profile;
    const struct prof_sample *sample = prof_crash_stack(crash, crash->thread);
    *count = 0;
    for (uint32_t at = sample ? sample->stack : PROF_NONE;
         at != PROF_NONE && *count < KEY_FRAMES;
         at = prof_profile_stack(profile, at)->parent) {
        const struct prof_frame *frame =
            prof_profile_frame(profile, prof_profile_stack(profile, at)->frame);
        if (frame->line_count == 0 ||
            (are_own_only &&
             (frame->kind != PROF_FRAME_NATIVE ||
              !exp_module_is_own(profile, crash->process, frame->module))))
            continue;
        const struct prof_line *line =
            prof_profile_line(profile, frame->first_line);
        key = mix(key, prof_profile_text(profile, line->function));
        ++*count;
    }
    return key;
}

uint64_t exp_crash_key(const struct prof_crash *crash)
{
    char head[LINE_BYTES];
    uint32_t count = 0;
    (void)snprintf(
        head, sizeof head, "%d %d %d", (int)crash->kind, crash->signal,
        crash->kind == PROF_CRASH_EXITED ? crash->wait_status : 0);
    uint64_t key = mix(UINT64_C(0xcbf29ce484222325), head);
    key = mix(key, crash->exception_type);
    uint64_t own = mix_frames(crash, key, true, &count);
    return count > 0 ? own : mix_frames(crash, key, false, &count);
}

/* ---- the book ---- */

struct entry {
    uint64_t key, sent_ms;
    uint32_t repeats;
};

static void read_entries(int fd, struct table *entries)
{
    char line[LINE_BYTES];
    int copy = dup(fd);
    FILE *file = copy >= 0 ? fdopen(copy, "r") : NULL;
    if (file == NULL && copy >= 0)
        (void)close(copy);
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        struct entry entry;
        if (entries->count < ENTRIES_MAX &&
            sscanf(
                line, "%" SCNx64 " %" SCNu64 " %" SCNu32, &entry.key,
                &entry.sent_ms, &entry.repeats) == 3)
            (void)table_add(entries, &entry);
    }
    if (file != NULL)
        (void)fclose(file);
}

static void write_entries(int fd, const struct table *entries)
{
    off_t at = 0;
    if (ftruncate(fd, 0) != 0)
        return;
    for (uint32_t i = 0; i < entries->count; i++) {
        const struct entry *entry = table_row(entries, i);
        char line[LINE_BYTES];
        int length = snprintf(
            line, sizeof line, "%016" PRIx64 " %" PRIu64 " %" PRIu32 "\n",
            entry->key, entry->sent_ms, entry->repeats);
        if (length < 0 || pwrite(fd, line, (size_t)length, at) != length)
            return;
        at += length;
    }
}

/* The one with this key, or a place for it; NULL when out of memory. */
static struct entry *find_entry(struct table *entries, uint64_t key)
{
    struct entry *oldest = NULL;
    const struct entry fresh = {.key = key};
    for (uint32_t i = 0; i < entries->count; i++) {
        struct entry *entry = table_row(entries, i);
        if (entry->key == key)
            return entry;
        if (oldest == NULL || entry->sent_ms < oldest->sent_ms)
            oldest = entry;
    }
    if (entries->count == ENTRIES_MAX) {
        *oldest = fresh;
        return oldest;
    }
    uint32_t id = table_add(entries, &fresh);
    return id != TABLE_NONE ? table_row(entries, id) : NULL;
}

bool exp_crash_book_ask(
    const char *folder, uint64_t key, uint64_t now_ms, uint64_t pause_ms,
    uint32_t *repeats)
{
    char path[4096];
    struct table entries = {.row_bytes = sizeof(struct entry)};
    bool is_sent = true;
    *repeats = 0;
    (void)snprintf(path, sizeof path, "%s/" EXP_CRASH_BOOK, folder);
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) != 0) {
        if (fd >= 0)
            (void)close(fd);
        return true;
    }
    read_entries(fd, &entries);
    struct entry *entry = find_entry(&entries, key);
    if (entry != NULL) {
        /* Who waited for the lock may ask for a moment before the last; a clock
           that was set back by more must not keep it silent for long. */
        uint64_t apart_ms = now_ms > entry->sent_ms ? now_ms - entry->sent_ms
                                                    : entry->sent_ms - now_ms;
        is_sent = entry->sent_ms == 0 || apart_ms >= pause_ms;
        *repeats = is_sent ? entry->repeats : 0;
        entry->repeats = is_sent ? 0 : entry->repeats + 1;
        if (is_sent)
            entry->sent_ms = now_ms;
        write_entries(fd, &entries);
    }
    table_fini(&entries);
    (void)flock(fd, LOCK_UN);
    (void)close(fd);
    return is_sent;
}
