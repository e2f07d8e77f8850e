/* The life of a guest's own thread; see guest.h, and wire/guest.h for what it
 * says.
 */
#include "profiler/agent/guest.h"

#include "profiler/agent/core.h"
#include "profiler/agent/guest_signal.h"
#include "profiler/agent/guest_timers.h"
#include "profiler/agent/kernel_sigaction.h"
#include "profiler/agent/scan_image.h"
#include "profiler/agent/sig_handler.h"
#include "profiler/agent/signals.h"
#include "profiler/agent/sys.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

enum {
    PAGE_BYTES = 4096,   /* below the stack: a guard */
    WAKE_NS = 500000000, /* how often it looks for the collector's pulse */
    LEFT_NS = 900000000, /* for its last act, when nobody does it, */
    LEFT_COUNT = 2,      /* so many times */
};

static struct wire_guest *here;
static struct prof_scan scan;
static struct prof_guest_timers *timers;

/* When the pulse was seen to change. */
static uint64_t last_pulse;
static uint64_t last_pulse_ns;

static void enter(enum wire_guest_state state)
{
    /* Pairs with the collector's look: what was written before is there. */
    atomic_store_explicit(&here->state, state, memory_order_release);
}

static void pause_for(long ns)
{
    struct timespec pause = {.tv_nsec = ns};
    (void)sys_call2(__NR_nanosleep, &pause, (void *)NULL);
}

/* Wait for orders, and take them. */
static uint32_t take_orders(void)
{
    _Atomic uint32_t *orders = &prof_core.ring.header->guest_orders;
    struct timespec limit = {.tv_nsec = WAKE_NS};
    /* Pairs with the release in the collector's order. */
    uint32_t taken = atomic_exchange_explicit(orders, 0, memory_order_acquire);
    if (taken != 0)
        return taken;
    (void)sys_call4(__NR_futex, orders, (long)FUTEX_WAIT, 0L, &limit);
    return atomic_exchange_explicit(orders, 0, memory_order_acquire);
}

/* No timer of ours outlives a collector that has died, or hangs. */
static bool is_collector_alive(void)
{
    uint64_t pulse = atomic_load_explicit(
        &prof_core.ring.header->seen_ns, memory_order_relaxed);
    uint64_t now_ns = prof_core_now_ns();
    if (pulse != last_pulse || last_pulse_ns == 0) {
        last_pulse = pulse;
        last_pulse_ns = now_ns;
    }
    return now_ns - last_pulse_ns < WIRE_PULSE_NS;
}

/* The segment is mapped by now: the answer can be waited for there. */
static bool say_hello(int fd, struct wire_reply *reply)
{
    here->fd = fd;
    enter(WIRE_GUEST_HELLO);
    while ((take_orders() & WIRE_ORDER_ANSWERED) == 0) {
        if (!is_collector_alive())
            return false;
    }
    *reply = here->reply;
    return true;
}

/* It needs a loader, and the command does not let it be asked for. */
static const struct prof_engine *load_reference(const char **reason)
{
    *reason = "libunwind needs the preloaded library";
    return NULL;
}

static void give_reason(const char *reason)
{
    uint32_t i = 0;
    for (; i + 1 < sizeof here->reply.text && reason[i] != '\0'; i++)
        here->reply.text[i] = reason[i];
    here->reply.text[i] = '\0';
    here->reply.status = 1;
    enter(WIRE_GUEST_FAILED);
}

static bool is_our_code(struct prof_scan_files *files, uint64_t handler)
{
    uint64_t words[8];
    const uint64_t *ours = (const uint64_t *)(uintptr_t)prof_handle_signal;
    if (prof_scan_memory_read(files, handler, words, sizeof words) <
        sizeof words)
        return false;
    bool is_same = true;
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
        is_same = is_same && words[i] == ours[i];
    return is_same;
}

/*
 * A process forked while a guest was in its parent has that one's handler, and
 * a copy of its image, in which nobody lives: we are the only guest. What the
 * program's own disposition was stands there where it stands in ours.
 */
static void see_through_inherited(void)
{
    enum { DEPTH_MAX = 16 };
    int signal = prof_core.config.tick_signal;
    const struct prof_kernel_sigaction *ours = prof_signal_believed(signal);
    uint64_t handler = (uintptr_t)prof_handle_signal;
    struct prof_kernel_sigaction its = *ours;
    struct prof_scan_files files = {0};
    if (!prof_scan_files_open(&files))
        return;
    for (int i = 0; i < DEPTH_MAX && (uintptr_t)its.handler != handler; i++) {
        uint64_t away = (uintptr_t)its.handler - handler;
        if (!is_our_code(&files, (uintptr_t)its.handler) ||
            prof_scan_memory_read(
                &files, (uintptr_t)ours + away, &its, sizeof its) < sizeof its)
            break;
        prof_signal_exchange(signal, &its, NULL);
    }
    prof_scan_files_close(&files);
}

static void begin(void)
{
    here->signal = prof_guest_signal_choose();
    struct prof_core_config config = {
        .engine = prof_guest_make_engine(&scan),
        .load_reference = load_reference,
        .say_hello = say_hello,
        .tick_signal = here->signal,
        .tid_offset = prof_scan_tid_offset(here->host)};
    char text[sizeof here->reply.text] = "";
    uint32_t count = here->chosen_count < WIRE_GUEST_THREADS_MAX
                         ? here->chosen_count
                         : WIRE_GUEST_THREADS_MAX;
    timers = prof_guest_timers_make(here->chosen, count);
    bool is_begun =
        timers != NULL && prof_core_start(&config, text, sizeof text);
    see_through_inherited();
    if (is_begun) {
        enter(WIRE_GUEST_SAMPLING);
        return;
    }
    give_reason(timers == NULL ? "no memory for its timers" : text);
}

static void look_at_threads(void)
{
    uint32_t deferred = prof_guest_timers_look(timers);
    atomic_store_explicit(
        &prof_core.ring.header->guest_deferred, deferred, memory_order_relaxed);
}

static void serve(void)
{
    look_at_threads();
    /* Without us the process would have ended with its last thread. */
    while (is_collector_alive() && !prof_guest_timers_is_alone(timers)) {
        uint32_t orders = take_orders();
        if (orders & WIRE_ORDER_END)
            return;
        if (orders & WIRE_ORDER_SCAN)
            (void)prof_scan(&scan);
        else if (orders & WIRE_ORDER_THREADS)
            prof_scan_stacks(&scan);
        if (orders & WIRE_ORDER_THREADS)
            look_at_threads();
    }
}

/*
 * Wait until no thread is inside a handler. Those that do not run for seconds,
 * as they are stopped, are waited for as long as it takes: the code they will
 * go on with must be there. Whoever let us in is told, and waits no longer.
 */
static void wait_for_handlers(void)
{
    while ((here->stuck =
                prof_guest_wait_for_handlers(here->begin, here->end)) > 0) {
        enter(WIRE_GUEST_LEAVING);
        pause_for(LEFT_NS);
    }
}

static void leave(void)
{
    atomic_store_explicit(&prof_core.is_active, 0, memory_order_relaxed);
    prof_guest_timers_end(timers);
    /* Ignored by default, or the program's own: ticks that still wait are
       dropped, or do no harm. */
    prof_signals_uninstall();
    if (prof_core.clock_gettime != NULL)
        wait_for_handlers();
    prof_core_unmap();
    prof_guest_release_engine(&scan);
}

/* Whoever let us in unmaps us, if he is there; else we leave a page of code. */
__attribute__((noreturn)) static void vanish(void)
{
    bool is_told = atomic_load_explicit(&here->state, memory_order_relaxed) ==
                   WIRE_GUEST_LEAVING;
    if (!is_told) {
        enter(WIRE_GUEST_OUT);
        for (int i = 0; i < LEFT_COUNT; i++)
            pause_for(LEFT_NS);
        enter(WIRE_GUEST_LEAVING);
    }
    prof_guest_vanish(here->begin, here->end);
}

/*
 * One guest at a time: a second would take the first one's handler for the
 * program's, and put it back when that is gone. The lock ends with our table of
 * descriptors, however we end. Without /proc there is none, and no thread to be
 * found either.
 */
static bool is_first(void)
{
    long fd = sys_call4(
        __NR_openat, (long)AT_FDCWD, "/proc/self",
        (long)(O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0L);
    return fd < 0 ||
           sys_call2(__NR_flock, fd, (long)(LOCK_EX | LOCK_NB)) != -EWOULDBLOCK;
}

extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));

/* What is constant cannot be written; the code could not from the beginning. */
static void seal_constants(void)
{
    uintptr_t image = (uintptr_t)&__ehdr_start;
    const Elf64_Phdr *segments = (const void *)(image + __ehdr_start.e_phoff);
    for (unsigned i = 0; i < __ehdr_start.e_phnum; i++) {
        const Elf64_Phdr *segment = &segments[i];
        uintptr_t start = image + segment->p_vaddr;
        uintptr_t from = start & ~(uintptr_t)(PAGE_BYTES - 1);
        if (segment->p_type == PT_LOAD && segment->p_flags == PF_R)
            (void)sys_call3(
                __NR_mprotect, from, start + segment->p_memsz - from,
                (long)PROT_READ);
    }
}

void prof_guest_run(struct wire_guest *guest)
{
    here = guest;
    here->pid = (uint32_t)sys_getpid();
    here->tid = (uint32_t)sys_gettid();
    (void)sys_call2(__NR_prctl, (long)PR_SET_NAME, "watchfire");
    (void)sys_call3(__NR_mprotect, here->begin, (long)PAGE_BYTES, 0L);
    seal_constants();
    /* A table of descriptors of our own, with nothing in it. */
    if (sys_call3(__NR_close_range, 0L, (long)~0u, (long)CLOSE_RANGE_UNSHARE) !=
        0)
        give_reason("Linux 5.9 or later is needed (close_range(2))");
    else if (!is_first())
        give_reason("it is watched already, by another watchfire");
    else
        begin();
    bool is_sampling =
        atomic_load_explicit(&here->state, memory_order_relaxed) ==
        WIRE_GUEST_SAMPLING;
    if (is_sampling)
        serve();
    leave();
    vanish();
}
