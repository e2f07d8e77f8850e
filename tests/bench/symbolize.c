/*
 * The symbolizer by itself, for bench_symbolize.py: figures as "NAME VALUE"
 * lines.
 *
 *   symbolize make FILE FOLDER            make the index
 *   symbolize warm FILE FOLDER < ADDRESSES  answer from it
 *   symbolize names FILE < ADDRESSES      answer by symbol tables alone
 *
 * Seconds are of this thread's CPU time. A warm figure is the best of several
 * passes; the first one, which opens the index and may have names to demangle,
 * is told apart.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "profiler/base/clock.h"
#include "symbolizer/builder.h"
#include "symbolizer/module.h"
#include "symbolizer/symbolizer.h"

enum { ADDRESSES_MAX = 1 << 20, PASSES = 7 };

static double seconds(void)
{
    return (double)clock_now_ns(CLOCK_THREAD_CPUTIME_ID) / 1e9;
}

static int make(const char *path, const char *folder)
{
    static const char *const dirs[] = {"/usr/lib/debug", NULL};
    struct sym_source source = {.path = path};
    struct sym_cache cache;
    struct diag diag = {0};
    double start = seconds();
    if (sym_cache_open(&cache, folder, UINT64_C(1) << 30, &diag) == STATUS_OK &&
        sym_builder_make(&cache, dirs, &source, &diag) == STATUS_OK)
        (void)printf("make %.4f\n", seconds() - start);
    else
        (void)fprintf(stderr, "%s\n", diag.text);
    return diag.status != STATUS_OK;
}

/* Addresses a second. */
static double run_pass(
    struct sym_module *module, const uint64_t *vaddrs, size_t count)
{
    double start = seconds();
    struct sym_frames frames;
    for (size_t i = 0; i < count; i++) {
        if (sym_module_lookup(module, vaddrs[i], &frames, NULL) != STATUS_OK)
            exit(1);
    }
    return (double)count / (seconds() - start);
}

static double best_pass(
    struct sym_module *module, const uint64_t *vaddrs, size_t count)
{
    double best = 0;
    for (int pass = 0; pass < PASSES; pass++) {
        double rate = run_pass(module, vaddrs, count);
        best = rate > best ? rate : best;
    }
    return best;
}

static int by_value(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Each name for the first time, as it is and as a person writes it. */
static bool first_passes(
    const char *path, const char *folder, const uint64_t *vaddrs, size_t count)
{
    for (int is_raw = 0; is_raw < 2; is_raw++) {
        struct sym_options options = {
            .cache_folder = folder, .raw_names = is_raw};
        struct sym_symbolizer *symbolizer = sym_symbolizer_create(&options);
        struct sym_source source = {.path = path};
        struct sym_module *module;
        if (symbolizer == NULL ||
            sym_module_open(symbolizer, &source, &module, NULL) != STATUS_OK)
            return false;
        (void)printf(
            "%s %.0f\n", is_raw ? "raw" : "naming",
            run_pass(module, vaddrs, count));
        sym_symbolizer_destroy(symbolizer);
    }
    return true;
}

static uint64_t *read_addresses(size_t *count)
{
    uint64_t *vaddrs = malloc(ADDRESSES_MAX * sizeof *vaddrs);
    *count = 0;
    while (vaddrs != NULL && *count < ADDRESSES_MAX &&
           scanf("%" SCNx64, &vaddrs[*count]) == 1)
        ++*count;
    return vaddrs;
}

/* Nanoseconds of finding a symbol and no more. */
static double find_ns(
    const struct sym_names *names, const uint64_t *vaddrs, size_t count)
{
    double best = 1e9;
    for (int pass = 0; pass < PASSES; pass++) {
        double start = seconds();
        uintptr_t sum = 0;
        for (size_t i = 0; i < count; i++)
            sum += (uintptr_t)sym_names_find(names, vaddrs[i]);
        double one = (seconds() - start) * 1e9 / (double)count;
        best = one < best && sum != 1 ? one : best;
    }
    return best;
}

static int names_alone(const char *path)
{
    size_t count;
    uint64_t *vaddrs = read_addresses(&count);
    struct sym_options options = {.names_only = true};
    struct sym_symbolizer *symbolizer = sym_symbolizer_create(&options);
    struct sym_source source = {.path = path};
    struct sym_module *module;
    double start = seconds();
    if (count == 0 || symbolizer == NULL ||
        sym_module_open(symbolizer, &source, &module, NULL) != STATUS_OK)
        return 1;
    (void)run_pass(module, vaddrs, 1);
    (void)printf("first %.6f\n", seconds() - start);
    (void)printf("symbols %u\n", module->names.symbols.count);
    (void)printf("find %.1f\n", find_ns(&module->names, vaddrs, count));
    (void)printf("lookup %.1f\n", 1e9 / best_pass(module, vaddrs, count));
    sym_symbolizer_destroy(symbolizer);
    free(vaddrs);
    return 0;
}

static int warm(const char *path, const char *folder)
{
    size_t count;
    uint64_t *vaddrs = read_addresses(&count);
    struct sym_options options = {.cache_folder = folder};
    struct sym_symbolizer *symbolizer = sym_symbolizer_create(&options);
    struct sym_source source = {.path = path};
    struct sym_module *module;
    if (count == 0 || symbolizer == NULL ||
        sym_module_open(symbolizer, &source, &module, NULL) != STATUS_OK)
        return 1;
    double start = seconds();
    (void)run_pass(module, vaddrs, 1);
    (void)printf("first %.6f\n", seconds() - start);
    if (!module->index.is_open)
        return 1;
    if (!first_passes(path, folder, vaddrs, count))
        return 1;
    (void)printf("random %.0f\n", best_pass(module, vaddrs, count));
    start = seconds();
    qsort(vaddrs, count, sizeof *vaddrs, by_value);
    double sorting = seconds() - start;
    double rate = best_pass(module, vaddrs, count);
    (void)printf("sorted %.0f\n", rate);
    (void)printf(
        "batch %.0f\n", (double)count / ((double)count / rate + sorting));
    sym_symbolizer_destroy(symbolizer);
    free(vaddrs);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "make") == 0)
        return make(argv[2], argv[3]);
    if (argc == 4 && strcmp(argv[1], "warm") == 0)
        return warm(argv[2], argv[3]);
    if (argc == 3 && strcmp(argv[1], "names") == 0)
        return names_alone(argv[2]);
    return 2;
}
