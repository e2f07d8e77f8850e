/* Demangling through libiberty, bounded in memory and in time. */
#include "symbolizer/demangle.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
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

/*
 * libiberty's demangler for D has no callback: it makes the whole text. Each
 * reference back (Q) may at most double it, so their number is what bounds
 * time and memory; a type made of more of them stays mangled.
 */
enum { D_NAME_BYTES = 2048, D_BACK_REFERENCES = 12 };

static bool is_d_name(const char *name)
{
    if (name[1] != 'D' || name[2] < '0' || name[2] > '9' ||
        strlen(name) > D_NAME_BYTES)
        return false;
    int references = 0;
    for (const char *at = name; *at != '\0'; at++)
        references += *at == 'Q';
    return references <= D_BACK_REFERENCES;
}

static size_t demangle_d(const char *name, char *text, size_t text_bytes)
{
    char *made = dlang_demangle(name, DMGL_AUTO);
    size_t bytes = made != NULL ? strlen(made) : 0;
    if (bytes >= text_bytes)
        bytes = 0;
    if (bytes > 0)
        memcpy(text, made, bytes + 1);
    free(made);
    return bytes;
}

static size_t demangle(const char *name, char *text, size_t text_bytes)
{
    if (is_d_name(name))
        return demangle_d(name, text, text_bytes);
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

/* ---- shortening ---- */

/* Behind the name of an operator that has brackets in it: operator<, <<, <=>,
   ->, >>=, ... Elsewhere `at` itself. */
static const char *skip_operator(const char *start, const char *at)
{
    static const char word[] = "operator";
    size_t length = sizeof word - 1;
    if (strncmp(at, word, length) != 0 ||
        (at > start && (at[-1] == '_' || isalnum((unsigned char)at[-1]))))
        return at;
    at += length;
    return at + strspn(at, "<>=-");
}

/* Behind the bracket that closes the one before `at`; NULL: there is none.
   Inside of parentheses a bracket may be a comparison. */
static const char *skip_arguments(const char *start, const char *at)
{
    int depth = 1, parentheses = 0;
    while (*at != '\0') {
        const char *after = skip_operator(start, at);
        if (after > at) {
            at = after;
            continue;
        }
        parentheses += (*at == '(') - (*at == ')');
        if (parentheses == 0 && *at == '<')
            depth++;
        if (parentheses == 0 && *at == '>' && at[-1] != '-' && --depth == 0)
            return at + 1;
        at++;
    }
    return NULL;
}

/* Whether the bracket at `at` is of arguments: of Rust's it may be of a type.
 */
static bool has_name_before(const char *start, const char *at)
{
    return at > start && strchr("<(&*", at[-1]) == NULL;
}

void sym_demangled_shorten(char *name)
{
    static const char left[] = "<...>";
    char *to = name;
    const char *at = name;
    while (*at != '\0') {
        const char *after = skip_operator(name, at);
        if (after == at && *at == '<') {
            after = skip_arguments(name, at + 1);
            if (after == NULL)
                break; /* the rest as it is */
            if (!has_name_before(name, at)) {
                after = at;
            } else if ((size_t)(after - at) >= sizeof left) {
                memcpy(to, left, sizeof left - 1);
                to += sizeof left - 1;
                at = after;
                continue;
            }
        }
        size_t bytes = after > at ? (size_t)(after - at) : 1;
        memmove(to, at, bytes);
        to += bytes;
        at += bytes;
    }
    memmove(to, at, strlen(at) + 1);
}
