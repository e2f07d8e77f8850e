/*
 * The ring under writers that die, in the middle of a record and anywhere
 * else: as threads, for ThreadSanitizer to follow, and as processes that are
 * killed, for real.
 *
 * What was committed is read, whole and once, in each writer's order; what a
 * dead one held is given up, and nobody waits for it.
 */
#include "tests/harness.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "tests/profiler/ring_fixture.h"

enum {
    WRITERS = 4,
    LIVES = 40,
    KILLS = 12,
    RECORDS_EACH = 500,
    WRITERS_MAX = 256
};

/* Shared with the writers, be they threads or processes. */
struct life {
    _Atomic uint64_t committed; /* records so far; one more may be */
    _Atomic bool is_dead;
};

struct scene {
    struct ring_pair *pair;
    struct life *lives;         /* WRITERS_MAX, by the writer's id */
    uint64_t next[WRITERS_MAX]; /* number expected of each */
    uint64_t received;
};

static bool is_alive(void *context, uint32_t tid)
{
    const struct scene *scene = context;
    /* Pairs with the release of who saw it die. */
    return !atomic_load_explicit(
        &scene->lives[tid].is_dead, memory_order_acquire);
}

/* A record of its writer's number and its own; false when there is no room. */
static bool write_record(
    struct wire_ring *ring, uint32_t id, uint64_t number, bool dies)
{
    uint32_t words = 3 + (uint32_t)(number * 7 % 60);
    struct prof_claim claim = prof_ring_claim(ring, words * 8, id);
    if (claim.bytes == NULL)
        return false;
    uint64_t *record = claim.bytes;
    record[0] = id;
    record[1] = number;
    record[2] = words;
    for (uint32_t i = 3; i < (dies ? words / 2 : words); i++)
        record[i] = number * 31 + i;
    if (!dies)
        prof_ring_commit(ring, &claim);
    return true;
}

/* Take what is there; every record must be whole and the next of its writer. */
static void drain(struct scene *scene)
{
    struct ring_pair *pair = scene->pair;
    uint64_t words[WIRE_RECORD_BLOCKS * WIRE_BLOCK_BYTES / 8];
    while (prof_ring_read(
               &pair->reader, pair->record, is_alive, scene, &pair->malformed) >
           0) {
        memcpy(words, pair->record, sizeof words);
        CHECK(words[0] < WRITERS_MAX && words[2] < 64);
        CHECK(words[1] >= scene->next[words[0]]);
        scene->next[words[0]] = words[1] + 1;
        for (uint64_t i = 3; i < words[2]; i++)
            CHECK_EQ(words[i], words[1] * 31 + i);
        scene->received++;
    }
}

static struct scene open_scene(void)
{
    struct scene scene = {.pair = make_ring()};
    scene.lives = mmap(
        NULL, WRITERS_MAX * sizeof *scene.lives, PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(scene.lives != MAP_FAILED);
    return scene;
}

static uint64_t committed(const struct scene *scene)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < WRITERS_MAX; i++)
        sum += atomic_load(&scene->lives[i].committed);
    return sum;
}

static void close_scene(struct scene *scene)
{
    CHECK_EQ(scene->pair->malformed, 0);
    CHECK_EQ(ring_loss(scene->pair, WIRE_LOSS_ABANDONED), 0);
    /* And it goes on. */
    uint64_t before = scene->received;
    CHECK(write_record(&scene->pair->writer, 0, UINT32_MAX, false));
    drain(scene);
    CHECK_EQ(scene->received, before + 1);
    CHECK_OK(munmap(scene->lives, WRITERS_MAX * sizeof *scene->lives));
    drop_ring(scene->pair);
}

/* ---- threads that end in the middle ---- */

struct thread_life {
    struct scene *scene;
    uint32_t id;
};

static void *live_and_die(void *context)
{
    struct thread_life own = *(struct thread_life *)context;
    struct life *life = &own.scene->lives[own.id];
    struct wire_ring *ring = &own.scene->pair->writer;
    for (uint64_t i = 0; i < RECORDS_EACH; i++) {
        if (write_record(ring, own.id, i, false))
            atomic_fetch_add(&life->committed, 1);
    }
    (void)write_record(ring, own.id, RECORDS_EACH, true);
    atomic_store_explicit(&life->is_dead, true, memory_order_release);
    return NULL;
}

TEST(ring_reads_all_that_threads_committed_before_they_died)
{
    struct scene scene = open_scene();
    pthread_t threads[WRITERS];
    struct thread_life lives[WRITERS];
    uint32_t id = 0;
    for (uint32_t round = 0; round < LIVES / WRITERS; round++) {
        for (uint32_t i = 0; i < WRITERS; i++) {
            lives[i] = (struct thread_life){.scene = &scene, .id = id++};
            CHECK_OK(
                pthread_create(&threads[i], NULL, live_and_die, &lives[i]));
        }
        /* The reader meets them at work. */
        while (!atomic_load_explicit(
            &scene.lives[id - 1].is_dead, memory_order_acquire))
            drain(&scene);
        for (uint32_t i = 0; i < WRITERS; i++)
            CHECK_OK(pthread_join(threads[i], NULL));
    }
    drain(&scene);
    CHECK_EQ(scene.received, committed(&scene));
    CHECK(scene.received > 0);
    CHECK(scene.pair->reader.died <= LIVES);
    close_scene(&scene);
}

/* ---- processes that are killed ---- */

static pid_t start_writer(const struct scene *scene, uint32_t id)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test fails */
    for (uint64_t i = 0;; i++) {
        if (write_record(&scene->pair->writer, id, i, false))
            atomic_fetch_add(&scene->lives[id].committed, 1);
        else
            (void)sched_yield(); /* for who makes room */
    }
}

static void kill_writer(struct scene *scene, pid_t pid, uint32_t id)
{
    CHECK_OK(kill(pid, SIGKILL));
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    atomic_store_explicit(
        &scene->lives[id].is_dead, true, memory_order_release);
}

TEST(ring_reads_all_that_processes_committed_before_they_were_killed)
{
    struct scene scene = open_scene();
    pid_t pids[WRITERS];
    uint32_t ids[WRITERS], id = 0;
    for (uint32_t i = 0; i < WRITERS; i++)
        pids[i] = start_writer(&scene, ids[i] = id++);
    for (uint32_t deaths = 0; deaths < KILLS; deaths++) {
        uint32_t victim = deaths % WRITERS;
        /* Until it has written something, so that it dies at work. */
        while (atomic_load(&scene.lives[ids[victim]].committed) == 0)
            drain(&scene);
        kill_writer(&scene, pids[victim], ids[victim]);
        drain(&scene);
        pids[victim] = start_writer(&scene, ids[victim] = id++);
    }
    for (uint32_t i = 0; i < WRITERS; i++)
        kill_writer(&scene, pids[i], ids[i]);
    drain(&scene);
    /* One that was killed may have committed and not yet said so. */
    CHECK(scene.received >= committed(&scene));
    CHECK(scene.received <= committed(&scene) + id);
    close_scene(&scene);
}
