/* The samples of a profile, and their sums. */
#include "profiler/model/samples.h"

#include <string.h>

void prof_samples_init(struct prof_samples *samples)
{
    *samples = (struct prof_samples){
        .sum.row_bytes = sizeof(struct prof_sample),
        .single.row_bytes = sizeof(struct prof_sample),
        .stand_in.row_bytes = sizeof(uint32_t)};
}

void prof_samples_fini(struct prof_samples *samples)
{
    table_fini(&samples->sum);
    table_fini(&samples->single);
    table_fini(&samples->stand_in);
    index_fini(&samples->sums);
}

static bool is_alike(const void *owner, uint32_t id, const void *key)
{
    const struct prof_samples *samples = owner;
    const struct prof_sample *row = table_row(&samples->sum, id);
    const struct prof_sample *wanted = key;
    return row->stack == wanted->stack && row->thread == wanted->thread &&
           row->state == wanted->state && row->flags == wanted->flags;
}

static uint64_t add(uint64_t a, uint64_t b)
{
    return a + b < a ? UINT64_MAX : a + b;
}

/* The first thread of the process that was summed; PROF_NONE: no memory. */
static uint32_t find_stand_in(
    struct prof_samples *samples, const struct table *threads, uint32_t thread)
{
    static const uint32_t none = PROF_NONE;
    const struct prof_thread *row = table_row(threads, thread);
    if (row->process == PROF_NONE)
        return thread;
    while (samples->stand_in.count <= row->process) {
        if (table_add(&samples->stand_in, &none) == TABLE_NONE)
            return PROF_NONE;
    }
    uint32_t *stand_in = table_row(&samples->stand_in, row->process);
    if (*stand_in == PROF_NONE)
        *stand_in = thread;
    return *stand_in;
}

static bool sum_one(
    struct prof_samples *samples, const struct prof_sample *single)
{
    uint32_t hash = hash_u64(
        (uint64_t)single->thread << 32 ^ single->stack ^
        (uint64_t)single->state << 56 ^ (uint64_t)single->flags << 48);
    uint32_t id = index_find(&samples->sums, hash, is_alike, samples, single);
    if (id == TABLE_NONE) {
        id = table_add(&samples->sum, single);
        if (id == TABLE_NONE)
            return false;
        if (!index_add(&samples->sums, hash, id)) {
            samples->sum.count--;
            return false;
        }
        return true;
    }
    struct prof_sample *sum = table_row(&samples->sum, id);
    sum->count = sum->count > UINT32_MAX - single->count
                     ? UINT32_MAX
                     : sum->count + single->count;
    for (uint32_t i = 0; i < PROF_VALUE_TYPES; i++)
        sum->values[i] = add(sum->values[i], single->values[i]);
    return true;
}

/* The first `count` singles are no more. */
static void pass(struct prof_samples *samples, uint32_t count)
{
    struct table *singles = &samples->single;
    samples->summed_count += count;
    singles->count -= count;
    if (singles->count > 0 && count > 0)
        memmove(
            singles->rows, table_row(singles, count),
            (size_t)singles->count * singles->row_bytes);
}

bool prof_samples_sum(
    struct prof_samples *samples, uint32_t count, const struct table *threads,
    bool threads_apart)
{
    struct table *singles = &samples->single;
    uint32_t done = 0;
    for (; done < count; done++) {
        struct prof_sample single =
            *(const struct prof_sample *)table_row(singles, done);
        if (!threads_apart)
            single.thread = find_stand_in(samples, threads, single.thread);
        if (single.thread == PROF_NONE || !sum_one(samples, &single))
            break;
    }
    bool is_done = done == count;
    pass(samples, done);
    return is_done;
}

void prof_samples_forget(struct prof_samples *samples, uint64_t before_ns)
{
    uint32_t count = 0;
    for (; count < samples->single.count; count++) {
        const struct prof_sample *single = table_row(&samples->single, count);
        if (single->time_ns >= before_ns)
            break;
    }
    pass(samples, count);
}
