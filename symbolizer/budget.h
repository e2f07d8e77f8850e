/*
 * What reading a file's debug information may cost, in the bytes it is made
 * of.
 *
 * Compilers describe everything once, so reading all of it takes time and
 * memory in proportion to its size. But it is full of offsets, and nothing in
 * the format keeps a thousand units from sharing one megabyte of
 * abbreviations, of line program or of ranges, or a million functions from
 * having one name of a megabyte. Whatever an offset leads to is therefore paid
 * for each time it is read, from a purse that holds some times what an honest
 * file takes. Once it is empty the unit at hand is given up, with its reason.
 */
#ifndef SYMBOLIZER_BUDGET_H
#define SYMBOLIZER_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Names and paths beyond this are none: real names of C++ reach half of it. */
#define SYM_TEXT_LIMIT_BYTES (UINT64_C(128) << 10)

/* What is kept of these takes this many times its bytes in the file. */
#define SYM_COST_OF_LINES    8
#define SYM_COST_OF_A_RANGE  24
#define SYM_COST_OF_A_UNIT   64

#define SYM_BUDGET_LEAST     (UINT64_C(4) << 20)
#define SYM_BUDGET_TIMES     8

#define SYM_BUDGET_COMPLAINT "refers to the same bytes over and over"

struct sym_budget {
    uint64_t left;
};

/* Measured: a file costs 0.1 to 2.8 times its bytes. For a start;
 * sym_budget_add() has the rest. */
static inline struct sym_budget sym_budget_begin(void)
{
    return (struct sym_budget){.left = SYM_BUDGET_LEAST};
}

/* More bytes of debug information came in. NULL has all. */
static inline void sym_budget_add(struct sym_budget *budget, uint64_t bytes)
{
    if (budget != NULL)
        budget->left += SYM_BUDGET_TIMES * bytes;
}

/* False when there is not enough left, and then nothing is. NULL has all. */
static inline bool sym_budget_spend(struct sym_budget *budget, uint64_t bytes)
{
    if (budget == NULL)
        return true;
    if (bytes > budget->left) {
        budget->left = 0;
        return false;
    }
    budget->left -= bytes;
    return true;
}

/* Nothing can be read any more. */
static inline bool sym_budget_is_spent(const struct sym_budget *budget)
{
    return budget != NULL && budget->left == 0;
}

#endif
