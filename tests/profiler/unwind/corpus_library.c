/*
 * What an optimizing compiler makes of a library: -O3 whatever the program's
 * level, reached through the PLT, and calling back into the program.
 */
#include "tests/profiler/unwind/corpus.h"

#include <alloca.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))
#define NOINLINE __attribute__((noinline))

enum { SIDE = 12 };

/* Unrolled, vectorized, with every register in use. */
NOINLINE static double multiply(const double *a, const double *b, double *c)
{
    double sum = 0;
    for (int i = 0; i < SIDE; i++) {
        for (int k = 0; k < SIDE; k++) {
            double cell = 0;
            for (int j = 0; j < SIDE; j++)
                cell += a[i * SIDE + j] * b[j * SIDE + k];
            c[i * SIDE + k] = cell;
            sum += cell;
        }
    }
    return sum;
}

/* Split into a hot and a cold part, shrink-wrapped, and cloned for constants.
 */
NOINLINE static uint64_t sum_of(
    const uint64_t *values, unsigned count, corpus_callback *callback)
{
    uint64_t sum = 0;
    if (count == 0)
        return callback(sum);
    for (unsigned i = 0; i < count; i++) {
        sum += values[i] * (i | 1);
        if (__builtin_expect(sum % 7 == 3, 0))
            sum ^= callback(sum);
    }
    return sum;
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* Vectors that are kept across a call want a stack more aligned than it is. */
NOINLINE static double keep_vectors(unsigned count, corpus_callback *callback)
{
    _Alignas(32) double lanes[16];
    char *more = alloca(count);
    memset(more, 1, count);
    for (int i = 0; i < 16; i++)
        lanes[i] = (double)callback((uint64_t)i + (uint64_t)more[count / 2]);
    double sum = 0;
    for (int i = 0; i < 16; i++)
        sum += lanes[i] * lanes[15 - i];
    return sum;
}

EXPORTED uint64_t corpus_library(unsigned depth, corpus_callback *callback)
{
    double a[SIDE * SIDE], b[SIDE * SIDE], c[SIDE * SIDE];
    uint64_t values[32];
    for (int i = 0; i < SIDE * SIDE; i++) {
        a[i] = (double)(i % 7);
        b[i] = (double)(i % 5);
    }
    for (unsigned i = 0; i < 32; i++)
        values[i] = (i * 2654435761u) % 1000;
    uint64_t result = (uint64_t)multiply(a, b, c);
    qsort(values, 32, sizeof values[0], compare);
    result += sum_of(values, 32, callback) + sum_of(values, 0, callback);
    result += (uint64_t)keep_vectors(100 + depth, callback);
    return depth == 0 ? result : result ^ corpus_library(depth - 1, callback);
}
