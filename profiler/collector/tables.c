/*
 * Making tables of rows; see the header.
 *
 * The owner opens files and queues them; the worker reads them, makes the
 * tables and puts them behind each other into the memfd. They share the queue,
 * under a lock, and each module's place, which the worker releases once.
 */
#include "profiler/collector/tables.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/collector/build_id.h"
#include "profiler/unwind/image.h"
#include "profiler/unwind/sig_row_store.h"
#include "profiler/wire/slots.h"

enum {
    QUEUE_MAX = 16,
    MODULES_MAX = 4096, /* ids above go without */

    /* 1.1 us to make the rows of 1 KiB; 3.3 us saved by a sample: measured in
     * cc1plus, with two misses a sample. */
    BYTES_A_SAMPLE = 3 * 1024,
};

struct job {
    uint32_t module;
    int fd;
    struct prof_build_id id;
};

struct module_state {
    uint64_t samples;
    bool is_asked; /* queued, made, or impossible */
    _Atomic uint64_t place;
};

struct prof_tables {
    const struct prof_profile *profile;
    struct module_state *modules; /* MODULES_MAX */
    int fd;
    uint8_t *bytes;
    uint64_t used_bytes; /* the worker's */

    pthread_t worker;
    bool has_worker;
    pthread_mutex_t lock;
    pthread_cond_t change;
    struct job queue[QUEUE_MAX];
    unsigned queue_count;
    bool is_ending;

    _Atomic uint32_t made_count;
};

uint64_t prof_tables_worth(uint64_t text_bytes)
{
    return 1 + text_bytes / BYTES_A_SAMPLE;
}

/* ---- the worker ---- */

/* Put a table into the memfd; 0 when it is full. */
static uint64_t store(
    struct prof_tables *tables, const struct prof_row_table *table)
{
    uint64_t bytes = prof_row_table_bytes(table);
    uint64_t place = tables->used_bytes;
    if (bytes > WIRE_TABLES_BYTES - place)
        return 0;
    memcpy(tables->bytes + place, table, bytes);
    tables->used_bytes += (bytes + PROF_ROW_STORE_ALIGN - 1) &
                          ~(uint64_t)(PROF_ROW_STORE_ALIGN - 1);
    return place;
}

static void make_table(struct prof_tables *tables, const struct job *job)
{
    struct prof_image *image = NULL;
    struct prof_build_id found = {.bytes = 0};
    prof_build_id_read(job->fd, &found);
    if (found.bytes == job->id.bytes &&
        memcmp(found.id, job->id.id, found.bytes) == 0 &&
        prof_image_open(job->fd, "", &image, NULL) == STATUS_OK &&
        prof_image_build_rows(image, NULL) == STATUS_OK) {
        /* Pair with the acquires in prof_tables_place() and _made(). */
        atomic_store_explicit(
            &tables->modules[job->module].place,
            store(tables, prof_image_rows(image)), memory_order_release);
        (void)atomic_fetch_add_explicit(
            &tables->made_count, 1, memory_order_release);
    }
    prof_image_close(image);
    (void)close(job->fd);
}

static void *work(void *context)
{
    struct prof_tables *tables = context;
    (void)pthread_mutex_lock(&tables->lock);
    while (!tables->is_ending) {
        if (tables->queue_count == 0) {
            (void)pthread_cond_wait(&tables->change, &tables->lock);
            continue;
        }
        struct job job = tables->queue[0];
        tables->queue_count--;
        memmove(
            tables->queue, tables->queue + 1,
            tables->queue_count * sizeof tables->queue[0]);
        (void)pthread_mutex_unlock(&tables->lock);
        make_table(tables, &job);
        (void)pthread_mutex_lock(&tables->lock);
    }
    (void)pthread_mutex_unlock(&tables->lock);
    return NULL;
}

/* Its owner handles signals by a descriptor; none may come here. */
static bool start_worker(struct prof_tables *tables)
{
    sigset_t all, before;
    if (tables->has_worker)
        return true;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    tables->has_worker =
        pthread_create(&tables->worker, NULL, work, tables) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return tables->has_worker;
}

/* ---- the owner ---- */

/*
 * A file that only we can change. What holds a descriptor can map it for
 * reading and no more (F_SEAL_FUTURE_WRITE: Linux 5.1).
 */
static bool make_file(struct prof_tables *tables)
{
    tables->fd =
        memfd_create("watchfire-tables", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (tables->fd < 0 || ftruncate(tables->fd, WIRE_TABLES_BYTES) != 0)
        return false;
    void *map = mmap(
        NULL, WIRE_TABLES_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, tables->fd,
        0);
    if (map == MAP_FAILED)
        return false;
    tables->bytes = map;
    return fcntl(
               tables->fd, F_ADD_SEALS,
               F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE |
                   F_SEAL_SEAL) == 0;
}

struct prof_tables *prof_tables_create(const struct prof_profile *profile)
{
    struct prof_tables *tables = calloc(1, sizeof *tables);
    if (tables == NULL)
        return NULL;
    tables->profile = profile;
    tables->fd = -1;
    tables->used_bytes = PROF_ROW_STORE_ALIGN; /* place 0 means none */
    (void)pthread_mutex_init(&tables->lock, NULL);
    (void)pthread_cond_init(&tables->change, NULL);
    tables->modules = calloc(MODULES_MAX, sizeof *tables->modules);
    if (tables->modules == NULL || !make_file(tables)) {
        prof_tables_destroy(tables);
        return NULL;
    }
    return tables;
}

void prof_tables_destroy(struct prof_tables *tables)
{
    if (tables == NULL)
        return;
    (void)pthread_mutex_lock(&tables->lock);
    tables->is_ending = true;
    (void)pthread_cond_signal(&tables->change);
    (void)pthread_mutex_unlock(&tables->lock);
    if (tables->has_worker)
        (void)pthread_join(tables->worker, NULL);
    for (unsigned i = 0; i < tables->queue_count; i++)
        (void)close(tables->queue[i].fd);
    if (tables->bytes != NULL)
        (void)munmap(tables->bytes, WIRE_TABLES_BYTES);
    if (tables->fd >= 0)
        (void)close(tables->fd);
    (void)pthread_cond_destroy(&tables->change);
    (void)pthread_mutex_destroy(&tables->lock);
    free(tables->modules);
    free(tables);
}

int prof_tables_fd(const struct prof_tables *tables)
{
    return tables != NULL ? tables->fd : -1;
}

/* The file the target knows by this name; whether it is the right one is
 * told by its build-id. */
static int open_module(
    const struct prof_tables *tables, uint32_t pid,
    const struct prof_module *module)
{
    char path[PATH_MAX + 32];
    struct stat found;
    (void)snprintf(
        path, sizeof path, "/proc/%" PRIu32 "/root%s", pid,
        prof_profile_text(tables->profile, module->path));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd >= 0 && (fstat(fd, &found) != 0 || !S_ISREG(found.st_mode))) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

static void ask_for_table(struct prof_tables *tables, uint32_t pid, uint32_t id)
{
    const struct prof_module *module = prof_profile_module(tables->profile, id);
    if (module->kind != PROF_MODULE_FILE || module->build_id_bytes == 0 ||
        !start_worker(tables))
        return;
    struct job job = {.module = id, .fd = open_module(tables, pid, module)};
    job.id.bytes = module->build_id_bytes;
    memcpy(job.id.id, module->build_id, module->build_id_bytes);
    if (job.fd < 0)
        return;
    (void)pthread_mutex_lock(&tables->lock);
    bool is_room = tables->queue_count < QUEUE_MAX;
    if (is_room)
        tables->queue[tables->queue_count++] = job;
    (void)pthread_cond_signal(&tables->change);
    (void)pthread_mutex_unlock(&tables->lock);
    if (!is_room) {
        (void)close(job.fd);
        tables->modules[id].is_asked = false; /* on the next occasion */
    }
}

void prof_tables_count(
    struct prof_tables *tables, uint32_t pid,
    const struct prof_space_mapping *mapping, uint32_t samples)
{
    if (tables == NULL || mapping->module >= MODULES_MAX)
        return;
    struct module_state *state = &tables->modules[mapping->module];
    state->samples += samples;
    if (state->is_asked ||
        state->samples < prof_tables_worth(mapping->end - mapping->start))
        return;
    state->is_asked = true;
    ask_for_table(tables, pid, mapping->module);
}

uint64_t prof_tables_place(const struct prof_tables *tables, uint32_t module)
{
    if (tables == NULL || module >= MODULES_MAX)
        return 0;
    return atomic_load_explicit(
        &tables->modules[module].place, memory_order_acquire);
}

uint32_t prof_tables_made(const struct prof_tables *tables)
{
    return tables == NULL ? 0
                          : atomic_load_explicit(
                                &tables->made_count, memory_order_acquire);
}
