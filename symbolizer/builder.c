/*
 * Making indexes in the background.
 *
 * The thread sees to requests, one after the other: opens the file, looks
 * whether an index is wanted at all, and has a child process make it (apart.h),
 * which inherits the open file and writes into a descriptor that the thread
 * gave it. Nothing of the child is believed but that, once it says that all was
 * written; it is the thread that lets the index appear.
 */
#include "symbolizer/builder.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "profiler/base/clock.h"
#include "profiler/base/table.h"
#include "symbolizer/apart.h"
#include "symbolizer/debug_file.h"
#include "symbolizer/debuginfod.h"
#include "symbolizer/index_job.h"
#include "symbolizer/module.h"
#include "symbolizer/patience.h"

/* How often the estimate is made anew. */
#define GLANCE_NS UINT64_C(10000000)

/* A copy of a source. */
struct request {
    char *path, *alternative;
    uint8_t build_id[SYM_BUILD_ID_BYTES];
    size_t build_id_bytes;
    bool is_remote; /* its debug file is to be fetched */
};

/*
 * The thread may get no processor for as long as others want it, so nobody
 * waits for it but where it says: not for the lock when a module is wanted, and
 * not for its end. Whoever of the two sides leaves last frees the builder.
 */
struct sym_builder {
    struct sym_cache cache; /* with a descriptor of its own */
    char **debug_dirs;
    uint64_t begin_ns; /* of the first request */
    bool has_thread, uses_debuginfod;
    pthread_t thread;
    struct sym_survey_progress *progress; /* shared with children */
    /* When the present request was begun, by two clocks. */
    _Atomic uint64_t request_ns, request_cpu_ns;

    /* Held while a child comes or goes, and while a file begins or appears:
       after a builder was destroyed there is neither. The thread may get no
       processor to clear away what it has begun, before the process ends. */
    pthread_mutex_t storing;
    _Atomic pid_t child; /* 0: none */
    struct sym_cache_entry begun;

    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t changed;
    struct table requests; /* struct request */
    uint32_t done_count;
    bool is_ending;
};

/* CPU time of the child, which the lock keeps from going; 0: there is none. */
static uint64_t child_cpu_ns(const struct sym_builder *builder)
{
    clockid_t clock;
    pid_t child = atomic_load(&builder->child);
    return child > 0 && clock_getcpuclockid(child, &clock) == 0
               ? clock_now_ns(clock)
               : 0;
}

/* Once, whoever comes first. What it used stays with the request. */
static void end_child(struct sym_builder *builder)
{
    pthread_mutex_lock(&builder->storing);
    atomic_fetch_sub(&builder->request_cpu_ns, child_cpu_ns(builder));
    pid_t child = atomic_exchange(&builder->child, 0);
    if (child > 0)
        sym_apart_end(child);
    pthread_mutex_unlock(&builder->storing);
}

/* ---- one index ---- */

enum status sym_builder_make(
    const struct sym_cache *cache, const char *const *debug_dirs,
    const struct sym_source *source, struct diag *diag)
{
    struct sym_survey_progress unwatched = {0};
    struct sym_index_job job = {
        .cache = cache,
        .debug_dirs = debug_dirs,
        .source = source,
        .progress = &unwatched,
        .begin = sym_index_job_begin,
        .fill = sym_index_job_fill,
        .appear = sym_index_job_appear};
    return sym_index_job_run(&job, diag);
}

/* Take a step, unless the builder was destroyed by now. */
static enum status step(
    struct sym_index_job *job, sym_index_step *take, struct diag *diag)
{
    struct sym_builder *builder = job->owner;
    pthread_mutex_lock(&builder->storing);
    enum status status = atomic_load(&job->progress->is_cancelled)
                             ? fail(diag, STATUS_LIMIT, "no index: cancelled")
                             : take(job, diag);
    builder->begun = job->entry;
    pthread_mutex_unlock(&builder->storing);
    return status;
}

static enum status begin(struct sym_index_job *job, struct diag *diag)
{
    return step(job, sym_index_job_begin, diag);
}

static enum status appear(struct sym_index_job *job, struct diag *diag)
{
    enum status status = step(job, sym_index_job_appear, diag);
    if (status == STATUS_LIMIT)
        sym_cache_abandon(job->cache, &job->entry);
    return status;
}

/* ---- the child ---- */

/* In the child: the one word that the parent waits for comes last. */
static void fill_apart(void *context)
{
    struct sym_index_job *job = context;
    if (sym_index_job_fill(job, NULL) == STATUS_OK)
        atomic_store(&job->progress->is_whole, true);
}

static enum status fill_in_child(struct sym_index_job *job, struct diag *diag)
{
    struct sym_builder *builder = job->owner;
    const struct sym_module *module = job->module;
    atomic_store(&job->progress->is_whole, false);
    pthread_mutex_lock(&builder->storing);
    pid_t child = -1;
    if (!atomic_load(&job->progress->is_cancelled))
        child = sym_apart_start(
            fill_apart, job, job->entry.fd,
            module->image.bytes_count + module->debug.bytes_count);
    builder->child = child > 0 ? child : 0;
    pthread_mutex_unlock(&builder->storing);
    if (child < 0)
        return fail(diag, STATUS_SYSTEM, "no process for an index");
    sym_apart_wait(child);
    end_child(builder);
    return atomic_load(&job->progress->is_whole)
               ? STATUS_OK
               : fail(
                     diag, STATUS_UNSUPPORTED, "no index of '%s'",
                     module->path);
}

/* ---- the thread ---- */

static void fini_request(struct request *request)
{
    free(request->path);
    free(request->alternative);
}

static void free_builder(struct sym_builder *builder)
{
    for (uint32_t i = 0; i < builder->requests.count; i++)
        fini_request(table_row(&builder->requests, i));
    table_fini(&builder->requests);
    (void)pthread_cond_destroy(&builder->changed);
    (void)pthread_mutex_destroy(&builder->lock);
    (void)pthread_mutex_destroy(&builder->storing);
    sym_dirs_free(builder->debug_dirs);
    sym_cache_close(&builder->cache);
    if (builder->progress != NULL)
        (void)munmap(builder->progress, sizeof *builder->progress);
    free(builder);
}

/* What a server may have comes behind everything else. */
static void postpone(struct sym_builder *builder, const struct request *request)
{
    struct request later = *request;
    later.is_remote = true;
    later.path = strdup(request->path);
    later.alternative =
        request->alternative != NULL ? strdup(request->alternative) : NULL;
    pthread_mutex_lock(&builder->lock);
    bool is_added = later.path != NULL &&
                    table_add(&builder->requests, &later) != TABLE_NONE;
    pthread_mutex_unlock(&builder->lock);
    if (!is_added)
        fini_request(&later);
}

static void serve(struct sym_builder *builder, const struct request *request)
{
    struct sym_source source = {
        .path = request->path,
        .alternative = request->alternative,
        .build_id = request->build_id,
        .build_id_bytes = request->build_id_bytes};
    struct sym_index_job job = {
        .cache = &builder->cache,
        .debug_dirs = (const char *const *)builder->debug_dirs,
        .source = &source,
        .progress = builder->progress,
        .is_remote = request->is_remote,
        .begin = begin,
        .fill = fill_in_child,
        .appear = appear,
        .owner = builder};
    if (request->is_remote && !builder->uses_debuginfod)
        return; /* by now */
    atomic_store(&builder->progress->done, 0);
    atomic_store(
        &builder->request_cpu_ns, clock_now_ns(CLOCK_THREAD_CPUTIME_ID));
    atomic_store(&builder->request_ns, clock_now_ns(CLOCK_MONOTONIC));
    enum status status = sym_index_job_run(&job, NULL);
    /* Else the next command will try again. */
    if (request->is_remote && status != STATUS_OK)
        builder->uses_debuginfod = false;
    else if (job.lacks_debug_file && builder->uses_debuginfod)
        postpone(builder, request);
}

static void *run(void *context)
{
    struct sym_builder *builder = context;
    struct sched_param none = {0};
    (void)pthread_setschedparam(pthread_self(), SCHED_IDLE, &none);
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), 19);

    pthread_mutex_lock(&builder->lock);
    while (!builder->is_ending) {
        if (builder->done_count == builder->requests.count) {
            pthread_cond_wait(&builder->changed, &builder->lock);
            continue;
        }
        struct request request = *(struct request *)table_row(
            &builder->requests, builder->done_count);
        pthread_mutex_unlock(&builder->lock);
        serve(builder, &request);
        pthread_mutex_lock(&builder->lock);
        builder->done_count++;
        pthread_cond_broadcast(&builder->changed);
    }
    pthread_mutex_unlock(&builder->lock);
    free_builder(builder);
    return NULL;
}

/* No signal of the command is for this thread. */
static bool start_thread(struct sym_builder *builder)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    builder->has_thread =
        pthread_create(&builder->thread, NULL, run, builder) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return builder->has_thread;
}

/* ---- the owner's side ---- */

struct sym_builder *sym_builder_create(
    const struct sym_cache *cache, const char *const *debug_dirs,
    bool uses_debuginfod)
{
    struct sym_builder *builder = calloc(1, sizeof *builder);
    if (builder == NULL)
        return NULL;
    builder->cache = *cache;
    builder->cache.folder = fcntl(cache->folder, F_DUPFD_CLOEXEC, 0);
    builder->requests.row_bytes = sizeof(struct request);
    builder->uses_debuginfod = uses_debuginfod && sym_debuginfod_has_servers();
    builder->debug_dirs = sym_dirs_copy(debug_dirs);
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&builder->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&builder->lock, NULL);
    (void)pthread_mutex_init(&builder->storing, NULL);
    void *shared = mmap(
        NULL, sizeof *builder->progress, PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared != MAP_FAILED)
        builder->progress = shared;
    if (builder->debug_dirs != NULL && builder->cache.folder >= 0 &&
        builder->progress != NULL)
        return builder;
    free_builder(builder);
    return NULL;
}

/* Add a copy, unless the thread has the lock. */
static bool add_request(
    struct sym_builder *builder, const struct request *request)
{
    if (pthread_mutex_trylock(&builder->lock) != 0)
        return false;
    bool is_added = table_add(&builder->requests, request) != TABLE_NONE;
    pthread_cond_broadcast(&builder->changed);
    pthread_mutex_unlock(&builder->lock);
    return is_added;
}

bool sym_builder_want(
    struct sym_builder *builder, const struct sym_source *source)
{
    if (source->kind != SYM_FILE || source->image != NULL)
        return true;
    struct request request = {.build_id_bytes = source->build_id_bytes};
    if (request.build_id_bytes > SYM_BUILD_ID_BYTES)
        request.build_id_bytes = SYM_BUILD_ID_BYTES;
    if (request.build_id_bytes > 0)
        memcpy(request.build_id, source->build_id, request.build_id_bytes);
    request.path = strdup(source->path);
    if (source->alternative != NULL)
        request.alternative = strdup(source->alternative);

    if (request.path == NULL ||
        (request.alternative == NULL) != (source->alternative == NULL) ||
        !add_request(builder, &request)) {
        fini_request(&request);
        return false;
    }
    if (!builder->has_thread) {
        builder->begin_ns = clock_now_ns(CLOCK_MONOTONIC);
        (void)start_thread(builder);
    }
    return true;
}

/* ---- the end ---- */

/* CPU time that the present request took, up to its child's end. */
static bool used_ns(struct sym_builder *builder, uint64_t *used)
{
    clockid_t clock;
    if (pthread_getcpuclockid(builder->thread, &clock) != 0)
        return false;
    pthread_mutex_lock(&builder->storing);
    *used = clock_now_ns(clock) - atomic_load(&builder->request_cpu_ns) +
            child_cpu_ns(builder);
    pthread_mutex_unlock(&builder->storing);
    return true;
}

/* Of the present request; see patience.h. */
static struct sym_patience patience_now(struct sym_builder *builder)
{
    struct sym_patience patience = {
        .now_ns = clock_now_ns(CLOCK_MONOTONIC),
        .asked_ns = builder->begin_ns,
        .begun_ns = atomic_load(&builder->request_ns),
        .done = atomic_load(&builder->progress->done)};
    patience.knows_used = used_ns(builder, &patience.used_ns);
    return patience;
}

static bool is_next_remote(const struct sym_builder *builder)
{
    const struct request *next =
        table_row(&builder->requests, builder->done_count);
    return next->is_remote;
}

/* Until everything is made, or the rest would take too long. */
static void wait_until_done(struct sym_builder *builder)
{
    struct sym_patience patience = patience_now(builder);
    uint64_t end = sym_patience_end_ns(&patience);
    while (builder->done_count < builder->requests.count &&
           !is_next_remote(builder) && sym_patience_lasts(&patience, end)) {
        uint64_t glance = patience.now_ns + GLANCE_NS;
        struct timespec until = {
            .tv_sec = (time_t)(glance / 1000000000),
            .tv_nsec = (long)(glance % 1000000000)};
        (void)pthread_cond_timedwait(&builder->changed, &builder->lock, &until);
        patience = patience_now(builder);
    }
}

void sym_builder_destroy(struct sym_builder *builder)
{
    if (builder == NULL)
        return;
    if (!builder->has_thread) {
        free_builder(builder);
        return;
    }
    (void)pthread_detach(builder->thread);
    pthread_mutex_lock(&builder->lock);
    wait_until_done(builder);
    pthread_mutex_lock(&builder->storing);
    atomic_store(&builder->progress->is_cancelled, true);
    sym_cache_withdraw(&builder->cache, &builder->begun);
    pthread_mutex_unlock(&builder->storing);
    end_child(builder);
    builder->is_ending = true; /* and the thread frees it */
    pthread_cond_broadcast(&builder->changed);
    pthread_mutex_unlock(&builder->lock);
}
