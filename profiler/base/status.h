/*
 * The one error type and the sentence that goes with it.
 *
 * Every room may include this folder; it knows none of them.
 */
#ifndef PROFILER_BASE_STATUS_H
#define PROFILER_BASE_STATUS_H

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first)                                       \
    __attribute__((format(printf, format_index, first)))

/*
 * Marks what may be called from the sampling signal's handler: no lock, no
 * allocation, no system call, no thread-local storage, bounded loops. The mark
 * alone proves nothing; tests/signal_symbols.allow and its test do.
 */
#define SIGNAL_SAFE

/*
 * The same, and most samples run through it. Linked beside each other such
 * functions take three pages, not five: in a program that uses its caches up,
 * a sample costs 4 to 7 % less.
 */
#define EVERY_SAMPLE __attribute__((hot))

#define STATUS_LIST(X)                                                         \
    X(OK, "success")                                                           \
    X(NO_MEMORY, "out of memory")                                              \
    X(SYSTEM, "system call failed; see diag.sys_errno")                        \
    X(GONE, "there is no such process, or no longer")                          \
    X(NOT_PERMITTED, "this system's settings refuse it")                       \
    X(UNSUPPORTED, "the input is of a kind that is not handled")               \
    X(MALFORMED, "input breaks the rules of its format")                       \
    X(MISMATCH, "shared memory written by another version")                    \
    X(LIMIT, "a configured limit was reached")                                 \
    X(USAGE, "the command line is wrong")

enum status {
#define STATUS_ENUM(name, text) STATUS_##name,
    STATUS_LIST(STATUS_ENUM)
#undef STATUS_ENUM
};

/* What a caller may show a person: one sentence, without a final newline. */
struct diag {
    enum status status;
    int sys_errno;  /* 0 unless a system call failed */
    char text[480]; /* names the thing that failed, then the reason */
};

/* The general meaning of a status; static storage. */
const char *status_text(enum status status);

/*
 * Fill in `diag` (may be NULL) and return `status`, so that a failure is one
 * statement: `return fail(diag, STATUS_SYSTEM, "open '%s'", path);`.
 * With STATUS_SYSTEM the text of the current errno is appended.
 */
enum status fail(struct diag *diag, enum status status, const char *format, ...)
    PRINTF_LIKE(3, 4);

#endif
