/* The way in without a loader, from within; see the header. */
#include "profiler/agent/guest.h"

#include "profiler/agent/core.h"
#include "profiler/agent/sys.h"

#include <signal.h>
#include <sys/mman.h>

static char session[sizeof((struct prof_guest_call *)0)->session];
static struct prof_scan scan;

/* The reference engine needs a loader. */
static const struct prof_engine *load_reference(const char **reason)
{
    *reason = "--unwinder=libunwind needs the preloaded library";
    return NULL;
}

const struct prof_engine *prof_guest_make_engine(struct prof_scan *made)
{
    long base = sys_mmap(
        NULL, sizeof *made->cfi, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (sys_is_error(base))
        return NULL;
    made->cfi = (struct prof_cfi_engine *)base;
    prof_cfi_engine_init(made->cfi);
    /* Without any module, samples have one frame, which is counted. */
    (void)prof_scan(made);
    return &made->cfi->engine;
}

void prof_guest_release_engine(struct prof_scan *made)
{
    prof_scan_release(made);
    if (made->cfi != NULL)
        (void)sys_munmap(made->cfi, sizeof *made->cfi);
    made->cfi = NULL;
}

int prof_guest_start(struct prof_guest_call *call)
{
    for (uint32_t i = 0; i + 1 < sizeof session; i++)
        session[i] = call->session[i];
    struct prof_core_config config = {
        .session = session,
        .engine = prof_guest_make_engine(&scan),
        .load_reference = load_reference,
        .tick_signal = SIGPROF,
        .tid_offset = prof_scan_tid_offset((uint32_t)sys_gettid())};
    return prof_core_start(&config, call->text, sizeof call->text) ? 0 : 1;
}
