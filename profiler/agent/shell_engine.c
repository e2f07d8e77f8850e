/*
 * The "cfi" engine in a preloaded program.
 *
 * Modules that stand when the program starts are never unmapped, and their CFI
 * is read where it is. One that dlopen() brought may go while a handler looks
 * at it: its CFI is read from a mapping of our own of the same file, which is
 * given back only when no handler can be inside.
 *
 * A new module is noticed when the program asks for one of its symbols, by the
 * interposed dlsym() (shell_dlsym_x86_64.c), or when one is closed.
 */
#include "profiler/agent/shell_engine.h"

#include <errno.h>
#include <fcntl.h>
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
#include "profiler/agent/tables.h"
#include "profiler/unwind/module_phdr.h"
#include "profiler/unwind/modules.h"
#include "profiler/unwind/sig_engine.h"
#include "profiler/unwind/stacks.h"

enum { PAGE_BYTES = 4096, COPIES_MAX = 1024 };

/* Our own mapping of a dlopen'ed module's frames. */
struct frames_copy {
    uint64_t bias;
    char *map;
    size_t map_bytes;
    const uint8_t *frames;
    bool is_used; /* by the present publication */
};

static struct prof_cfi_engine *cfi;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct prof_text texts[PROF_TEXTS_MAX];
static uint32_t text_count;
static uint64_t permanent[COPIES_MAX]; /* load biases */
static uint32_t permanent_count;
static bool is_starting;

static struct frames_copy copies[COPIES_MAX];
static uint32_t copy_count;
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
    return false;
}

static struct frames_copy *find_copy(uint64_t bias, size_t bytes)
{
    for (uint32_t i = 0; i < copy_count; i++) {
        if (copies[i].bias == bias && copies[i].map_bytes >= bytes)
            return &copies[i];
    }
    return NULL;
}

/* The loader's lock is held: the image stands, and can be compared with. */
static bool is_same_frames(
    const uint8_t *copy, const struct prof_loaded_image *image,
    const struct prof_frames_range *range)
{
    const void *loaded = (const void *)(uintptr_t)(image->bias + range->vaddr);
    size_t bytes =
        range->size_bytes < PAGE_BYTES ? range->size_bytes : PAGE_BYTES;
    return memcmp(copy, loaded, bytes) == 0;
}

static struct frames_copy *make_copy(
    const struct prof_loaded_image *image,
    const struct prof_frames_range *range, const char *path)
{
    if (copy_count == COPIES_MAX)
        return NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    uint64_t start = range->offset & ~(uint64_t)(PAGE_BYTES - 1);
    size_t bytes = range->offset - start + range->size_bytes;
    char *map = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, (off_t)start);
    (void)close(fd);
    if (map == MAP_FAILED)
        return NULL;
    const uint8_t *frames = (uint8_t *)map + (range->offset - start);
    if (!is_same_frames(frames, image, range)) {
        (void)munmap(map, bytes);
        return NULL;
    }
    copies[copy_count] = (struct frames_copy){
        .bias = image->bias, .map = map, .map_bytes = bytes, .frames = frames};
    return &copies[copy_count++];
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
    struct prof_frames_range range;
    struct prof_loaded_image image = {
        .bias = info->dlpi_addr,
        .headers = info->dlpi_phdr,
        .header_count = info->dlpi_phnum};
    if (is_starting && permanent_count < COPIES_MAX)
        permanent[permanent_count++] = image.bias;

    image.is_permanent = is_permanent(image.bias);
    if (!image.is_permanent && prof_loaded_frames(&image, &range)) {
        struct frames_copy *copy = find_copy(image.bias, range.size_bytes);
        if (copy == NULL || !is_same_frames(copy->frames, &image, &range))
            copy = make_copy(&image, &range, info->dlpi_name);
        if (copy != NULL) {
            copy->is_used = true;
            image.frames = copy->frames;
        }
    }
    uint32_t count = prof_loaded_texts(
        &image, texts + text_count, PROF_TEXTS_MAX - text_count);
    post_texts(&image, texts + text_count, count);
    text_count += count;
    return 0;
}

/* Give back what no publication refers to, if no handler is inside. */
static void drop_unused_copies(void)
{
    if (!prof_modules_settle(&cfi->modules, &cfi->cache))
        return;
    for (uint32_t i = copy_count; i-- > 0;) {
        if (copies[i].is_used)
            continue;
        (void)munmap(copies[i].map, copies[i].map_bytes);
        copies[i] = copies[--copy_count];
    }
}

static void publish(void)
{
    text_count = 0;
    for (uint32_t i = 0; i < copy_count; i++)
        copies[i].is_used = false;
    (void)dl_iterate_phdr(add_module, NULL);
    if (prof_modules_publish(&cfi->modules, texts, text_count, &cfi->cache))
        drop_unused_copies();
    else
        seen_adds = seen_subs = 0; /* try again on the next occasion */
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

uint64_t shell_engine_add_stack(void)
{
    struct range stack;
    if (cfi == NULL || !find_own_stack(&stack))
        return 0;
    add_range(stack.start, stack.end);
    return stack.start;
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

/* Interposed: an alternate stack is one that samples are taken on. */
INTERPOSE int sigaltstack(const stack_t *wanted, stack_t *old)
{
    int result = shell_real()->sigaltstack(wanted, old);
    int saved_errno = errno;
    if (result != 0 || wanted == NULL || cfi == NULL || !prof_core_is_ours() ||
        !take_lock())
        return result;
    if (alternate_start != 0)
        prof_stacks_remove(&cfi->stacks, alternate_start);
    alternate_start = 0;
    if ((wanted->ss_flags & SS_DISABLE) == 0) {
        alternate_start = (uint64_t)(uintptr_t)wanted->ss_sp;
        (void)prof_stacks_add(
            &cfi->stacks, alternate_start, alternate_start + wanted->ss_size);
    }
    (void)pthread_mutex_unlock(&lock);
    errno = saved_errno;
    return result;
}

/* ---- coming and going ---- */

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
    (void)shell_engine_add_stack();
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
