/* The reference engine: libunwind, walking from the signal's context. */
#include "profiler/unwind/reference.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

/* The local, fast namespace: the names that UNW_LOCAL_ONLY stands for. */
#define UNW_LOCAL_ONLY
#include <libunwind.h>

/* The engine and the functions it found in the library. */
struct reference {
    struct prof_engine engine;
    __typeof__(&unw_init_local2) init;
    __typeof__(&unw_step) step;
    __typeof__(&unw_get_reg) get_register;
    __typeof__(&unw_is_signal_frame) is_signal_frame;
};

static struct reference reference;

static enum prof_walk_end walk_cursor(
    unw_cursor_t *cursor, struct prof_walk *walk)
{
    /* The leaf, and what a signal frame interrupted, are exact. */
    bool is_exact = true;
    for (;;) {
        unw_word_t pc = 0;
        if (reference.get_register(cursor, UNW_REG_IP, &pc) < 0 || pc == 0)
            return PROF_WALK_COMPLETE;
        walk->frames[walk->count++] =
            (pc & PROF_FRAME_ADDRESS) | (is_exact ? PROF_FRAME_EXACT : 0);
        is_exact = reference.is_signal_frame(cursor) > 0;

        int step = reference.step(cursor);
        if (step == 0)
            return PROF_WALK_COMPLETE;
        if (step < 0)
            return PROF_WALK_INCOMPLETE;
        if (walk->count == walk->capacity)
            return PROF_WALK_CUT;
    }
}

static void reference_walk(
    const struct prof_engine *engine, const void *ucontext,
    struct prof_walk *walk)
{
    (void)engine;
    int saved_errno = errno;
    unw_cursor_t cursor;
    walk->count = 0;
    walk->end = PROF_WALK_INCOMPLETE;
    /* unw_context_t is ucontext_t here; libunwind only reads it. */
    unw_context_t *context = (unw_context_t *)(uintptr_t)ucontext;
    if (reference.init(&cursor, context, UNW_INIT_SIGNAL_FRAME) == 0)
        walk->end = walk_cursor(&cursor, walk);
    errno = saved_errno;
}

const void *prof_reference_code(void)
{
    return (const void *)(uintptr_t)reference.step;
}

#define STRING_OF(name) #name
#define LOAD(library, field, name)                                             \
    ((reference.field = (__typeof__(reference.field))dlsym(                    \
          library, STRING_OF(name))) != NULL)

const struct prof_engine *prof_reference_engine(const char **reason)
{
    void *library = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        *reason = "cannot load libunwind.so.8; apt-get install libunwind8";
        return NULL;
    }
    if (!LOAD(library, init, _ULx86_64_init_local2) ||
        !LOAD(library, step, _ULx86_64_step) ||
        !LOAD(library, get_register, _ULx86_64_get_reg) ||
        !LOAD(library, is_signal_frame, _ULx86_64_is_signal_frame)) {
        *reason = "libunwind.so.8 lacks the functions of version 1.3";
        return NULL;
    }
    reference.engine =
        (struct prof_engine){.name = "libunwind", .walk = reference_walk};
    return &reference.engine;
}
