/*
 * The "cfi" engine in a preloaded program.
 *
 * Modules that stand when the program starts are never unmapped, and their CFI
 * is read where it is. One that dlopen() brought may go while a handler looks
 * at it: its CFI is kept apart (shell_frames.h).
 *
 * Nobody tells the two apart when we come: another library's constructor may
 * have opened some. So whatever is closed is believed to be one of these, with
 * all that was loaded after it: they are taken off the list before they can go,
 * and those that stay come back as what may go.
 *
 * Libraries of LD_AUDIT are in name spaces of their own, and listed once, when
 * we come. As nobody else can be about to close one, theirs stay as well, until
 * one that we know is closed.
 *
 * A new module is noticed when the program asks for one of its symbols, by the
 * interposed dlsym() (shell_dlsym_x86_64.c), or when one is closed.
 */
#include "profiler/agent/shell_engine.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "profiler/agent/core.h"
#include "profiler/agent/shell.h"
#include "profiler/agent/shell_frames.h"
#include "profiler/agent/shell_spaces.h"
#include "profiler/agent/tables.h"
#include "profiler/unwind/module_phdr.h"
#include "profiler/unwind/modules.h"
#include "profiler/unwind/sig_engine.h"
#include "profiler/unwind/stacks.h"

enum { PAGE_BYTES = 4096, PERMANENT_MAX = 1024, SETTLE_TRIES = 1000 };
enum { OTHERS_MAX = 64 };

static struct prof_cfi_engine *cfi;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct prof_text texts[PROF_TEXTS_MAX];
static uint32_t text_count;
static uint64_t permanent[PERMANENT_MAX]; /* load biases */
static uint32_t permanent_count;
static struct dl_phdr_info others[OTHERS_MAX]; /* in other name spaces */
static uint32_t other_count;
static uint64_t own_bias; /* of this library, which nobody closes */
static bool is_starting;

static unsigned long long seen_adds, seen_subs;

static _Thread_local uint64_t alternate_start
    __attribute__((tls_model("initial-exec")));

/*
 * Never waits for ever: a signal handler of the program's may have interrupted
 * the very thread that holds the lock. What is not published then costs only
 * the outer part of some stacks.
 */
static bool take_lock(void)
{
    enum { TRIES = 1000 };
    for (int i = 0; i < TRIES; i++) {
        if (pthread_mutex_trylock(&lock) == 0)
            return true;
        (void)sched_yield();
    }
    return false;
}

/* ---- modules ---- */

static bool is_permanent(uint64_t bias)
{
    for (uint32_t i = 0; i < permanent_count; i++) {
        if (permanent[i] == bias)
            return true;
    }
    return bias == own_bias;
}

/* Tell the collector, who may make tables of rows for them. */
static void post_texts(
    const struct prof_loaded_image *image, struct prof_text *added,
    uint32_t count)
{
    const uint8_t *id;
    uint64_t identity = 0;
    uint32_t bytes = prof_loaded_build_id(image, &id);
    if (bytes < sizeof identity)
        return;
    memcpy(&identity, id, sizeof identity);
    for (uint32_t i = 0; i < count; i++)
        added[i].slot = prof_tables_post(added[i].start, identity);
}

static int add_module(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size, (void)context;
    struct prof_loaded_image image = {
        .bias = info->dlpi_addr,
        .headers = info->dlpi_phdr,
        .header_count = info->dlpi_phnum};
    if (is_starting && permanent_count < PERMANENT_MAX)
        permanent[permanent_count++] = image.bias;

    image.is_permanent = is_permanent(image.bias);
    if (!image.is_permanent)
        image.frames = shell_frames_keep(&image, info->dlpi_name);
    uint32_t count = prof_loaded_texts(
        &image, texts + text_count, PROF_TEXTS_MAX - text_count);
    post_texts(&image, texts + text_count, count);
    text_count += count;
    return 0;
}

static void publish(void)
{
    text_count = 0;
    shell_frames_begin();
    (void)dl_iterate_phdr(add_module, NULL);
    for (uint32_t i = 0; i < other_count; i++)
        (void)add_module(&others[i], sizeof others[i], NULL);
    if (!prof_modules_publish(&cfi->modules, texts, text_count, &cfi->cache))
        seen_adds = seen_subs = 0; /* try again on the next occasion */
    else if (prof_modules_settle(&cfi->modules, &cfi->cache))
        shell_frames_drop(); /* no handler is left that knew them */
}

/* What was loaded before it, and is not about to go. */
static void leave_out_from(uint32_t first)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < text_count; i++) {
        bool is_leaving = false;
        for (uint32_t at = first; at < permanent_count; at++)
            is_leaving = is_leaving || texts[i].bias == permanent[at];
        if (!is_leaving)
            texts[kept++] = texts[i];
    }
    text_count = kept;
    permanent_count = first;
    seen_adds = seen_subs = 0; /* so that those that stay come back */
    for (int i = 0; i < SETTLE_TRIES; i++) {
        if (prof_modules_publish(&cfi->modules, texts, text_count, &cfi->cache))
            break;
        (void)sched_yield();
    }
    for (int i = 0; i < SETTLE_TRIES; i++) {
        if (prof_modules_settle(&cfi->modules, &cfi->cache))
            return;
        (void)sched_yield();
    }
}

/* It goes with all that its name space has been given for it. */
static void forget_others(uint64_t bias)
{
    for (uint32_t i = 0; i < other_count; i++) {
        if (others[i].dlpi_addr == bias)
            other_count = 0;
    }
}

void shell_engine_part_with(void *handle)
{
    struct link_map *module = NULL;
    uint32_t first = 0;
    if (cfi == NULL || handle == NULL ||
        dlinfo(handle, RTLD_DI_LINKMAP, &module) != 0 || !take_lock())
        return;
    forget_others(module->l_addr);
    while (first < permanent_count && permanent[first] != module->l_addr)
        first++;
    /* The program itself, which comes first, stays whatever is closed. */
    if (first > 0 && first < permanent_count)
        leave_out_from(first);
    (void)pthread_mutex_unlock(&lock);
}

/* The loader's counts, from the first module; then stop. */
static int read_counts(struct dl_phdr_info *info, size_t size, void *counts)
{
    (void)size;
    unsigned long long *pair = counts;
    pair[0] = info->dlpi_adds;
    pair[1] = info->dlpi_subs;
    return 1;
}

void shell_engine_update(void)
{
    unsigned long long counts[2] = {0, 0};
    /* Whoever holds the lock publishes; and this may be a nested call. */
    if (cfi == NULL || prof_core_is_silent() ||
        pthread_mutex_trylock(&lock) != 0)
        return;
    int saved_errno = errno;
    (void)dl_iterate_phdr(read_counts, counts);
    if (counts[0] != seen_adds || counts[1] != seen_subs) {
        seen_adds = counts[0];
        seen_subs = counts[1];
        publish();
    }
    errno = saved_errno;
    (void)pthread_mutex_unlock(&lock);
}

/* ---- stacks ---- */

static void add_range(uint64_t start, uint64_t end)
{
    if (!take_lock())
        return;
    (void)prof_stacks_add(&cfi->stacks, start, end);
    (void)pthread_mutex_unlock(&lock);
}

struct range {
    uint64_t start, end;
};

/*
 * The first thread's stack as execve(2) lays it out: the name of the program
 * ends one word below its top, and the mappings keep clear of what
 * RLIMIT_STACK lets it grow to. pthread_getattr_np() would read all of
 * /proc/self/maps for it, which takes longer than a small program runs.
 */
static bool find_first_stack(struct range *stack)
{
    enum { LIMIT_MAX = 1 << 30 };
    struct rlimit limit;
    const char *name = (const char *)getauxval(AT_EXECFN);
    if (gettid() != getpid() || name == NULL ||
        getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur > LIMIT_MAX)
        return false;
    uint64_t end = (uint64_t)(uintptr_t)name + strlen(name) + 1 + sizeof name;
    uint64_t here = (uint64_t)(uintptr_t)&limit;
    *stack = (struct range){end - limit.rlim_cur, end};
    return end % PAGE_BYTES == 0 && here - stack->start < limit.rlim_cur;
}

/* The calling thread's stack, whichever it is; for the constructor. */
static bool find_own_stack(struct range *stack)
{
    pthread_attr_t attributes;
    void *start = NULL;
    size_t bytes = 0;
    if (find_first_stack(stack))
        return true;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return false;
    (void)pthread_attr_getstack(&attributes, &start, &bytes);
    (void)pthread_attr_destroy(&attributes);
    *stack = (struct range){
        (uint64_t)(uintptr_t)start, (uint64_t)(uintptr_t)start + bytes};
    return bytes > 0;
}

size_t shell_engine_stack_bytes(const pthread_attr_t *attributes)
{
    pthread_attr_t standard;
    size_t bytes = 0;
    if (attributes != NULL) {
        (void)pthread_attr_getstacksize(attributes, &bytes);
    } else if (pthread_getattr_default_np(&standard) == 0) {
        (void)pthread_attr_getstacksize(&standard, &bytes);
        (void)pthread_attr_destroy(&standard);
    }
    return bytes;
}

/*
 * libc keeps a thread's own data at the top of its stack, and only its page is
 * known to be there. pthread_getattr_np() would tell the bounds as well, but
 * it allocates, and a thread that never did gets an arena of malloc's for it:
 * 64 MiB of addresses and 60 KiB of memory.
 */
uint64_t shell_engine_add_stack(size_t bytes)
{
    uint64_t end = ((uint64_t)pthread_self() | (PAGE_BYTES - 1)) + 1;
    if (cfi == NULL || bytes == 0 || bytes >= end)
        return 0;
    add_range(end - bytes, end);
    return end - bytes;
}

void shell_engine_drop_stack(uint64_t start)
{
    if (cfi == NULL || !take_lock())
        return;
    if (start != 0)
        prof_stacks_remove(&cfi->stacks, start);
    if (alternate_start != 0)
        prof_stacks_remove(&cfi->stacks, alternate_start);
    alternate_start = 0;
    (void)pthread_mutex_unlock(&lock);
}

void shell_engine_set_alternate(uint64_t start, size_t bytes)
{
    if (cfi == NULL || !take_lock())
        return;
    if (alternate_start != 0)
        prof_stacks_remove(&cfi->stacks, alternate_start);
    alternate_start = bytes > 0 ? start : 0;
    if (bytes > 0)
        (void)prof_stacks_add(&cfi->stacks, start, start + bytes);
    (void)pthread_mutex_unlock(&lock);
}

/* ---- coming and going ---- */

static void take_others(void)
{
    other_count = shell_spaces_list(others, OTHERS_MAX);
    if (other_count == 0)
        return;
    for (uint32_t i = 0; i < other_count; i++) {
        if (permanent_count < PERMANENT_MAX)
            permanent[permanent_count++] = others[i].dlpi_addr;
    }
    publish();
}

const struct prof_engine *shell_engine_open(void)
{
    void *memory = mmap(
        NULL, sizeof *cfi, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    cfi = memory;
    prof_cfi_engine_init(cfi);
    cfi->modules.store = &prof_core.tables;
    is_starting = true;
    shell_engine_update();
    is_starting = false;
    /* The last there is (shell_listed_last.c), after what may be closed. */
    if (permanent_count > 0)
        own_bias = permanent[--permanent_count];
    take_others();
    struct range stack;
    if (find_own_stack(&stack))
        add_range(stack.start, stack.end);
    return &cfi->engine;
}

void shell_engine_after_fork(void)
{
    if (cfi == NULL)
        return;
    /* Another thread of the parent may have held it. */
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    prof_cfi_engine_after_fork(cfi);
}
