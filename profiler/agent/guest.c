/* The way in without a loader; see the header. */
#include "profiler/agent/guest.h"

#include "profiler/agent/core.h"
#include "profiler/agent/scan.h"
#include "profiler/agent/sys.h"

#include <sys/mman.h>

static char session[sizeof((struct prof_guest_call *)0)->session];
static struct prof_scan scan;

/* The reference engine needs a loader. */
static const struct prof_engine *load_reference(const char **reason)
{
    *reason = "--unwinder=libunwind needs the preloaded library";
    return NULL;
}

static const struct prof_engine *make_engine(void)
{
    long base = sys_mmap(
        NULL, sizeof *scan.cfi, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (sys_is_error(base))
        return NULL;
    scan.cfi = (struct prof_cfi_engine *)base;
    prof_cfi_engine_init(scan.cfi);
    /* Without any module, samples have one frame, which is counted. */
    (void)prof_scan(&scan);
    return &scan.cfi->engine;
}

int prof_guest_start(struct prof_guest_call *call)
{
    for (uint32_t i = 0; i + 1 < sizeof session; i++)
        session[i] = call->session[i];
    struct prof_core_config config = {
        .session = session,
        .engine = make_engine(),
        .load_reference = load_reference,
        .tid_offset = prof_scan_tid_offset()};
    return prof_core_start(&config, call->text, sizeof call->text) ? 0 : 1;
}
