/* Making indexes in the background. */
#include "symbolizer/builder.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "profiler/base/clock.h"
#include "profiler/base/table.h"
#include "symbolizer/fingerprint.h"
#include "symbolizer/index.h"
#include "symbolizer/module.h"
#include "symbolizer/survey.h"

/* However short or long the command has lived. */
#define PATIENCE_MIN_NS UINT64_C(200000000)
#define PATIENCE_MAX_NS UINT64_C(2000000000)

/* How often the estimate is made anew. */
#define GLANCE_NS       UINT64_C(10000000)

/* A copy of a source. */
struct request {
    char *path, *alternative;
    uint8_t build_id[SYM_BUILD_ID_BYTES];
    size_t build_id_bytes;
};

struct sym_builder {
    const struct sym_cache *cache;
    char **debug_dirs;
    uint64_t begin_ns; /* of the first request */
    bool has_thread;
    pthread_t thread;
    struct sym_survey_progress progress;
    _Atomic uint64_t request_ns; /* when the present one was begun */

    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t changed;
    struct table requests; /* struct request */
    uint32_t done_count;
    bool is_ending;
};

/* ---- one index ---- */

/* Whether a whole index of this file is there already. */
static bool is_kept(
    const struct sym_cache *cache, const struct sym_fingerprint *fingerprint)
{
    int fd = sym_cache_find(cache, fingerprint->name);
    if (fd < 0)
        return false;
    struct sym_index index;
    enum status status = sym_index_open(&index, fd, fingerprint->key, NULL);
    (void)close(fd);
    if (status == STATUS_OK)
        sym_index_close(&index);
    return status == STATUS_OK;
}

static enum status store(
    const struct sym_cache *cache, const struct sym_fingerprint *fingerprint,
    struct sym_index_writer *writer, struct diag *diag)
{
    struct sym_cache_entry entry;
    enum status status =
        sym_cache_begin(cache, fingerprint->name, &entry, diag);
    if (status != STATUS_OK)
        return status;
    status = sym_index_writer_save(writer, entry.fd, fingerprint->key, diag);
    if (status == STATUS_OK)
        return sym_cache_commit(cache, &entry, diag);
    sym_cache_abandon(cache, &entry);
    return status;
}

static enum status make(
    const struct sym_cache *cache, const char *const *debug_dirs,
    const struct sym_source *source, struct sym_survey_progress *progress,
    struct diag *diag)
{
    struct sym_options options = {.debug_dirs = debug_dirs};
    struct sym_symbolizer *symbolizer = sym_symbolizer_create(&options);
    if (symbolizer == NULL)
        return fail(diag, STATUS_NO_MEMORY, "no memory for an index");
    struct sym_module *module;
    struct sym_fingerprint fingerprint;
    enum status status = sym_module_open(symbolizer, source, &module, diag);
    if (status == STATUS_OK &&
        !sym_fingerprint_of(&module->image, &fingerprint))
        status = fail(
            diag, STATUS_UNSUPPORTED, "'%s' has no code to index",
            source->path);
    if (status == STATUS_OK && !is_kept(cache, &fingerprint)) {
        struct sym_index_writer writer;
        status = sym_survey_module(module, &writer, progress, diag);
        if (status == STATUS_OK)
            status = store(cache, &fingerprint, &writer, diag);
        sym_index_writer_fini(&writer);
    }
    sym_symbolizer_destroy(symbolizer);
    return status;
}

enum status sym_builder_make(
    const struct sym_cache *cache, const char *const *debug_dirs,
    const struct sym_source *source, struct diag *diag)
{
    struct sym_survey_progress unwatched = {0};
    return make(cache, debug_dirs, source, &unwatched, diag);
}

/* ---- the thread ---- */

static void fini_request(struct request *request)
{
    free(request->path);
    free(request->alternative);
}

static void serve(struct sym_builder *builder, const struct request *request)
{
    struct sym_source source = {
        .path = request->path,
        .alternative = request->alternative,
        .build_id = request->build_id,
        .build_id_bytes = request->build_id_bytes};
    enum status ignored = make(
        builder->cache, (const char *const *)builder->debug_dirs, &source,
        &builder->progress, NULL);
    (void)ignored; /* the next command will try again */
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
        atomic_store(&builder->progress.done, 0);
        atomic_store(&builder->request_ns, clock_now_ns(CLOCK_MONOTONIC));
        serve(builder, &request);
        pthread_mutex_lock(&builder->lock);
        builder->done_count++;
        pthread_cond_broadcast(&builder->changed);
    }
    pthread_mutex_unlock(&builder->lock);
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
    const struct sym_cache *cache, const char *const *debug_dirs)
{
    struct sym_builder *builder = calloc(1, sizeof *builder);
    if (builder == NULL)
        return NULL;
    builder->cache = cache;
    builder->requests.row_bytes = sizeof(struct request);
    builder->debug_dirs = sym_dirs_copy(debug_dirs);
    if (builder->debug_dirs == NULL) {
        free(builder);
        return NULL;
    }
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&builder->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&builder->lock, NULL);
    return builder;
}

void sym_builder_want(
    struct sym_builder *builder, const struct sym_source *source)
{
    if (source->kind != SYM_FILE || source->image != NULL)
        return;
    struct request request = {.build_id_bytes = source->build_id_bytes};
    if (request.build_id_bytes > SYM_BUILD_ID_BYTES)
        request.build_id_bytes = SYM_BUILD_ID_BYTES;
    if (request.build_id_bytes > 0)
        memcpy(request.build_id, source->build_id, request.build_id_bytes);
    request.path = strdup(source->path);
    if (source->alternative != NULL)
        request.alternative = strdup(source->alternative);

    pthread_mutex_lock(&builder->lock);
    bool is_added =
        request.path != NULL &&
        (request.alternative != NULL) == (source->alternative != NULL) &&
        table_add(&builder->requests, &request) != TABLE_NONE;
    pthread_cond_broadcast(&builder->changed);
    pthread_mutex_unlock(&builder->lock);
    if (!is_added)
        fini_request(&request);
    if (!is_added || builder->has_thread)
        return;
    builder->begin_ns = clock_now_ns(CLOCK_MONOTONIC);
    (void)start_thread(builder);
}

/* What the present index still takes, by what it has taken; 0: unknown. */
static uint64_t remaining_ns(struct sym_builder *builder, uint64_t now)
{
    unsigned done = atomic_load(&builder->progress.done);
    uint64_t begun = atomic_load(&builder->request_ns);
    if (done < SYM_SURVEY_WHOLE / 50 || begun >= now)
        return 0;
    return (now - begun) * (SYM_SURVEY_WHOLE - done) / done;
}

static uint64_t patience_end(const struct sym_builder *builder, uint64_t now)
{
    uint64_t patience = now - builder->begin_ns;
    if (patience < PATIENCE_MIN_NS)
        patience = PATIENCE_MIN_NS;
    return now + (patience < PATIENCE_MAX_NS ? patience : PATIENCE_MAX_NS);
}

/* Until everything is made, or the rest would take too long. */
static void wait_until_done(struct sym_builder *builder)
{
    uint64_t now = clock_now_ns(CLOCK_MONOTONIC);
    uint64_t end = patience_end(builder, now);
    pthread_mutex_lock(&builder->lock);
    while (builder->done_count < builder->requests.count &&
           now + remaining_ns(builder, now) < end) {
        uint64_t glance = now + GLANCE_NS;
        struct timespec until = {
            .tv_sec = (time_t)(glance / 1000000000),
            .tv_nsec = (long)(glance % 1000000000)};
        (void)pthread_cond_timedwait(&builder->changed, &builder->lock, &until);
        now = clock_now_ns(CLOCK_MONOTONIC);
    }
    builder->is_ending = true;
    atomic_store(&builder->progress.is_cancelled, true);
    pthread_cond_broadcast(&builder->changed);
    pthread_mutex_unlock(&builder->lock);
}

void sym_builder_destroy(struct sym_builder *builder)
{
    if (builder == NULL)
        return;
    if (builder->has_thread) {
        wait_until_done(builder);
        (void)pthread_join(builder->thread, NULL);
    }
    for (uint32_t i = 0; i < builder->requests.count; i++)
        fini_request(table_row(&builder->requests, i));
    table_fini(&builder->requests);
    (void)pthread_cond_destroy(&builder->changed);
    (void)pthread_mutex_destroy(&builder->lock);
    sym_dirs_free(builder->debug_dirs);
    free(builder);
}
