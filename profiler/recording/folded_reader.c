/* Folded text -> a profile. */
#include "profiler/recording/folded_reader.h"

#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* A line of text, as far as it is valid: no NUL, no other control but tab. */
static bool is_text(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char byte = (unsigned char)text[i];
        if ((byte < ' ' && byte != '\t') || byte == 0x7f)
            return false;
    }
    return true;
}

/* Split "stack count": where the stack ends, and the count. */
static bool split_count(
    const char *line, size_t bytes, size_t *stack_bytes, uint64_t *count)
{
    size_t at = bytes;
    while (at > 0 && line[at - 1] >= '0' && line[at - 1] <= '9')
        at--;
    if (at == bytes || at < 2 || line[at - 1] != ' ')
        return false;
    uint64_t value = 0;
    for (size_t i = at; i < bytes; i++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(line[i] - '0'), &value))
            return false;
    }
    *stack_bytes = at - 1;
    *count = value;
    return true;
}

bool prof_folded_is_folded(const char *head, size_t bytes)
{
    const char *end = memchr(head, '\n', bytes);
    size_t line = end != NULL ? (size_t)(end - head) : bytes;
    if (line > 0 && head[line - 1] == '\r')
        line--;
    size_t stack;
    uint64_t count;
    if (line == 0 || !is_text(head, line))
        return false;
    /* A first line longer than the head shows no count yet. */
    return end == NULL || split_count(head, line, &stack, &count);
}

/* The stack of the frames in `text`, which is cut apart. PROF_NONE: empty. */
static uint32_t add_frames(struct prof_profile *profile, char *text)
{
    uint32_t stack = PROF_NONE;
    for (char *next = text; next != NULL;) {
        char *name = next;
        next = strchr(name, ';');
        if (next != NULL)
            *next++ = '\0';
        if (*name == '\0')
            return PROF_NONE;
        stack = prof_profile_add_stack(
            profile, stack,
            prof_profile_add_named_frame(profile, PROF_FRAME_NAMED, name));
    }
    return stack;
}

static enum status read_line(
    struct prof_profile *profile, uint32_t thread, char *line, size_t bytes)
{
    size_t stack_bytes;
    struct prof_sample sample = {.thread = thread};
    if (!is_text(line, bytes) ||
        !split_count(line, bytes, &stack_bytes, &sample.values[0]))
        return STATUS_MALFORMED;
    line[stack_bytes] = '\0';
    sample.stack = add_frames(profile, line);
    if (prof_profile_status(profile) != STATUS_OK)
        return prof_profile_status(profile);
    if (sample.stack == PROF_NONE)
        return STATUS_MALFORMED;
    prof_profile_add_sample(profile, &sample);
    return prof_profile_status(profile);
}

static enum status read_lines(
    FILE *input, const char *name, struct prof_profile *profile,
    uint32_t thread, struct diag *diag)
{
    char *line = NULL;
    size_t capacity = 0;
    enum status status = STATUS_OK;
    uint64_t number = 0;
    ssize_t got;
    while (status == STATUS_OK &&
           (got = getline(&line, &capacity, input)) > 0) {
        size_t bytes = (size_t)got;
        number++;
        if (line[bytes - 1] == '\n')
            bytes--;
        if (bytes > 0 && line[bytes - 1] == '\r')
            bytes--;
        if (bytes > 0)
            status = read_line(profile, thread, line, bytes);
    }
    free(line);
    if (status == STATUS_MALFORMED)
        return fail(
            diag, status,
            "'%s' line %llu is not frames joined by ';', a space and a whole "
            "count",
            name, (unsigned long long)number);
    if (status == STATUS_OK && ferror(input))
        return fail(diag, STATUS_SYSTEM, "read '%s'", name);
    return status == STATUS_OK
               ? status
               : fail(diag, status, "'%s': out of memory", name);
}

enum status prof_folded_read(
    FILE *input, const char *name, struct prof_profile *profile,
    struct diag *diag)
{
    prof_profile_add_value_type(profile, "samples", "count");
    struct prof_process process = {0};
    struct prof_thread thread = {
        .process = prof_profile_add_process(profile, &process)};
    uint32_t id = prof_profile_add_thread(profile, &thread);
    return read_lines(input, name, profile, id, diag);
}
