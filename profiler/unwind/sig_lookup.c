/* Rows and rules by key; see the header. */
#include "profiler/unwind/sig_lookup.h"

#include "profiler/unwind/sig_row.h"
#include "profiler/unwind/sig_row_store.h"
#include "profiler/unwind/sig_row_table.h"

/* A restorer is returned into, so `key` itself is its first byte; one that is
 * being executed has its pc there or at the system call. */
static bool is_sigreturn(const struct prof_text *text, uint64_t key)
{
    static const uint8_t BACK[] = {0, 1, 6, 8};
    if (text->code == NULL)
        return false;
    for (unsigned i = 0; i < sizeof BACK; i++) {
        uint64_t pc = key - BACK[i];
        if (pc >= text->start && pc < text->end &&
            text->end - pc >= PROF_SIGRETURN_BYTES &&
            prof_is_sigreturn(text->code + (pc - text->start)))
            return true;
    }
    return false;
}

static bool has_rules(
    const struct prof_text *text, uint64_t pc, struct prof_lookup *lookup)
{
    const struct prof_cfi_source *sources[] = {
        &text->eh_frame, &text->debug_frame};
    for (unsigned i = 0; i < 2; i++) {
        lookup->source = sources[i];
        if (prof_fde_find(sources[i], pc, &lookup->fde) &&
            prof_rows_find(&lookup->rows, &lookup->fde, pc))
            return true;
    }
    return false;
}

/*
 * Where nothing covers the call, a function may begin at the return address:
 * a signal restorer, or one that nobody called and that is to run when its
 * callee returns, as makecontext() arranges it for a fiber. Its CFI takes the
 * word behind its own address for another return address, which is what the
 * fiber was given instead (glibc before 2.38).
 */
enum prof_found prof_lookup_rules(
    const struct prof_text *text, uint64_t key, struct prof_lookup *lookup)
{
    if (has_rules(text, prof_pc_of_key(key), lookup))
        return PROF_FOUND_RULES;
    if (is_sigreturn(text, key))
        return PROF_FOUND_SIGRETURN;
    if (!has_rules(text, key, lookup) || lookup->fde.start != key)
        return PROF_FOUND_NOTHING;
    return lookup->rows.rules.is_signal_frame ? PROF_FOUND_RULES
                                              : PROF_FOUND_FIRST;
}

static const struct prof_row_table *table_of(
    const struct prof_modules *modules, const struct prof_text *text)
{
    if (text->rows != NULL || modules->store == NULL)
        return text->rows;
    return prof_row_store_find(modules->store, text->slot);
}

static bool is_in_table(
    const struct prof_row_table *table, uint64_t vaddr, uint32_t *row,
    struct prof_stretch *stretch)
{
    if (table == NULL)
        return false;
    *row = prof_row_table_find(table, vaddr, stretch);
    return prof_row_kind(*row) != PROF_ROW_FULL &&
           prof_row_kind(*row) != PROF_ROW_NONE;
}

/* Where nothing else can have a say, as far as the rules hold. */
static void find_stretch(
    const struct prof_text *text, const struct prof_lookup *lookup, uint64_t pc,
    struct prof_stretch *stretch)
{
    const struct prof_fde *fde = &lookup->fde;
    if (lookup->source != &text->eh_frame || pc < lookup->rows.start ||
        fde->next <= pc)
        return;
    stretch->start = lookup->rows.start;
    stretch->end = lookup->rows.end < fde->next ? lookup->rows.end : fde->next;
}

/*
 *   stretch  in: `pc` alone; out: pcs around it that have the same row
 */
static uint32_t row_in_text(
    const struct prof_modules *modules, const struct prof_text *text,
    uint64_t pc, struct prof_stretch *stretch)
{
    uint32_t row;
    struct prof_stretch vaddrs;
    if (is_in_table(table_of(modules, text), pc - text->bias, &row, &vaddrs)) {
        stretch->start = vaddrs.start + text->bias;
        stretch->end = vaddrs.end + text->bias;
        return row;
    }
    struct prof_lookup lookup;
    switch (prof_lookup_rules(text, prof_key_of_pc(pc), &lookup)) {
    case PROF_FOUND_RULES:
        find_stretch(text, &lookup, pc, stretch);
        return prof_row_encode(&lookup.rows.rules, lookup.source);
    case PROF_FOUND_SIGRETURN:
        return prof_row_make(PROF_ROW_FULL, 0, 0);
    case PROF_FOUND_FIRST:
        return prof_row_make(PROF_ROW_END, 0, 0);
    default:
        return prof_row_make(PROF_ROW_NONE, 0, 0);
    }
}

static void clip(struct prof_stretch *stretch, const struct prof_text *text)
{
    if (stretch->start < text->start)
        stretch->start = text->start;
    if (stretch->end > text->end)
        stretch->end = text->end;
}

/*
 * The answer is stored before leaving: the writer waits for that, so that
 * nothing stale is left behind.
 */
EVERY_SAMPLE uint32_t prof_lookup_row(
    struct prof_modules *modules, struct prof_row_cache *cache, uint64_t key)
{
    uint32_t row;
    if (cache != NULL && prof_row_cache_get_second(cache, key, &row))
        return row;
    const struct prof_text_list *list = prof_modules_enter(modules);
    if (list == NULL)
        return prof_row_make(PROF_ROW_NONE, 0, 0);
    uint64_t pc = prof_pc_of_key(key);
    struct prof_stretch stretch = {.start = pc, .end = pc + 1};
    const struct prof_text *text = prof_text_find(list, pc);
    row = text != NULL ? row_in_text(modules, text, pc, &stretch)
                       : prof_row_make(PROF_ROW_NONE, 0, 0);
    if (prof_row_kind(row) == PROF_ROW_PLT) {
        row = prof_row_at(row, pc);
        stretch = (struct prof_stretch){.start = pc, .end = pc + 1};
    }
    if (text != NULL)
        clip(&stretch, text);
    if (cache != NULL)
        prof_row_cache_put(
            cache, key, prof_key_of_pc(stretch.start),
            prof_key_of_pc(stretch.end), row);
    prof_modules_leave(modules, list);
    return row;
}
