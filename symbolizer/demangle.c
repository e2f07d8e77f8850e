/* Demangling through libiberty, bounded in memory and in time. */
#include "symbolizer/demangle.h"

#include <setjmp.h>
#include <stdbool.h>
#include <string.h>

#include <libiberty/demangle.h>

struct sink {
    char *text;
    size_t room_bytes, used_bytes;
    jmp_buf too_long;
};

/*
 * Leaving by longjmp is what bounds the time as well as the memory, for the
 * callback has no other way to stop the printer. The callback forms of both
 * demanglers hold no heap memory while they print.
 */
static void append(const char *text, size_t bytes, void *opaque)
{
    struct sink *sink = opaque;
    if (bytes >= sink->room_bytes - sink->used_bytes)
        longjmp(sink->too_long, 1);
    memcpy(sink->text + sink->used_bytes, text, bytes);
    sink->used_bytes += bytes;
}

static bool print(const char *name, struct sink *sink)
{
    /* Rust's older names are valid C++ names as well: Rust goes first. */
    if (rust_demangle_callback(name, DMGL_AUTO, append, sink))
        return true;
    sink->used_bytes = 0;
    return cplus_demangle_v3_callback(
        name, DMGL_PARAMS | DMGL_ANSI | DMGL_AUTO, append, sink);
}

static size_t demangle(const char *name, char *text, size_t text_bytes)
{
    struct sink sink = {.text = text, .room_bytes = text_bytes};
    if (setjmp(sink.too_long) != 0 || !print(name, &sink))
        return 0;
    text[sink.used_bytes] = '\0';
    return sink.used_bytes;
}

size_t sym_demangle(const char *name, char *text, size_t text_bytes)
{
    if (name[0] != '_' || text_bytes == 0)
        return 0;
    const char *suffix = strchr(name, '@');
    if (suffix == NULL)
        return demangle(name, text, text_bytes);

    char plain[SYM_DEMANGLED_BYTES];
    size_t plain_bytes = (size_t)(suffix - name);
    if (plain_bytes >= sizeof plain)
        return 0;
    memcpy(plain, name, plain_bytes);
    plain[plain_bytes] = '\0';
    size_t bytes = demangle(plain, text, text_bytes);
    if (bytes == 0 || strlen(suffix) >= text_bytes - bytes)
        return 0;
    memcpy(text + bytes, suffix, strlen(suffix) + 1);
    return bytes + strlen(suffix);
}
