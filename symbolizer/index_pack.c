/* Packing an index. */
#include "symbolizer/index_pack.h"

#include <stdlib.h>
#include <string.h>

/* Places that share a row of the directory, about. Of more an answer takes
   longer, since they are gone through. Of 2 the index is a tenth larger, to
   begin from zeros more often, and nothing is faster. */
enum { PLACES_A_STRETCH = 4 };

/* ---- bytes ---- */

/* The lowest `count` bytes of a word. */
static void put_bytes(
    struct sym_index_packed *packed, struct table *part, uint32_t word,
    unsigned count)
{
    if (table_add_many(part, &word, count) == TABLE_NONE)
        packed->has_failed = true;
}

static uint32_t zigzag(uint32_t difference)
{
    return difference << 1 ^ (0 - (difference >> 31));
}

static void put_word(
    struct sym_index_packed *packed, struct table *part, uint32_t word)
{
    if (table_add(part, &word) == TABLE_NONE)
        packed->has_failed = true;
}

static uint32_t word_of(const struct table *words, uint32_t id)
{
    return *(const uint32_t *)table_row(words, id);
}

/* ---- records ---- */

static unsigned code_of(uint32_t number)
{
    return number == 0            ? 0
           : number <= UINT8_MAX  ? 1
           : number <= UINT16_MAX ? 2
                                  : 3;
}

/* `least`: the code that the first number has at least. */
static void put_record(
    struct sym_index_packed *packed, struct table *part, uint32_t step,
    const uint32_t numbers[SYM_INDEX_NUMBERS], unsigned least)
{
    bool is_long = step >= SYM_INDEX_STEP_LONG;
    unsigned head = (is_long ? SYM_INDEX_STEP_LONG : step)
                    << SYM_INDEX_STEP_SHIFT;
    unsigned codes[SYM_INDEX_NUMBERS];
    for (unsigned i = 0; i < SYM_INDEX_NUMBERS; i++) {
        codes[i] = code_of(numbers[i]);
        if (i == 0 && codes[i] < least)
            codes[i] = least;
        head |= codes[i] << SYM_INDEX_CODE_BITS * i;
    }
    put_bytes(packed, part, head, 2);
    put_bytes(packed, part, step, is_long ? 4 : 0);
    for (unsigned i = 0; i < SYM_INDEX_NUMBERS; i++)
        put_bytes(packed, part, numbers[i], (1u << codes[i]) >> 1);
}

/* ---- strings ---- */

struct text {
    const char *start;
    uint32_t id;
};

static int by_text(const void *left, const void *right)
{
    const struct text *a = left, *b = right;
    return strcmp(a->start, b->start);
}

static uint32_t shared_bytes(const char *one, const char *two)
{
    uint32_t count = 0;
    while (count < UINT8_MAX && one[count] != '\0' && one[count] == two[count])
        count++;
    return count;
}

static void pack_text(
    struct sym_index_packed *packed, const struct text *texts, uint32_t count)
{
    for (uint32_t i = 0; i < count && !packed->has_failed; i++) {
        const char *rest = texts[i].start;
        if (i % SYM_INDEX_GROUP == 0) {
            put_word(packed, &packed->groups, packed->text.count);
        } else {
            uint32_t shared = shared_bytes(texts[i - 1].start, rest);
            put_bytes(packed, &packed->text, shared, 1);
            rest += shared;
        }
        if (table_add_many(&packed->text, rest, (uint32_t)strlen(rest) + 1) ==
            TABLE_NONE)
            packed->has_failed = true;
        *(uint32_t *)table_row(&packed->ranks, texts[i].id) = i;
    }
}

/* Sorted, and where each of the writer's is now; "" stays the first. */
static void pack_strings(
    struct sym_index_packed *packed, const struct sym_index_writer *writer)
{
    uint32_t count = writer->strings.count;
    struct text *texts = malloc(count * sizeof *texts);
    if (texts == NULL) {
        packed->has_failed = true;
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        texts[i] = (struct text){
            .start =
                sym_strings_text(writer->texts, word_of(&writer->strings, i)),
            .id = i};
        put_word(packed, &packed->ranks, 0);
    }
    if (!packed->has_failed) {
        qsort(texts, count, sizeof *texts, by_text);
        pack_text(packed, texts, count);
    }
    free(texts);
}

/* ---- nodes ---- */

static void pack_nodes(
    struct sym_index_packed *packed, const struct sym_index_writer *writer)
{
    struct table *part = &packed->nodes;
    for (uint32_t i = 0; i < writer->nodes.count && !packed->has_failed; i++) {
        const struct sym_index_node *node = table_row(&writer->nodes, i);
        uint32_t start = part->count;
        put_word(packed, &packed->offsets, start);
        uint32_t numbers[SYM_INDEX_NUMBERS] = {
            [SYM_NODE_NAME] = word_of(&packed->ranks, node->name)};
        if (node->caller == SYM_INDEX_NONE) {
            numbers[SYM_NODE_LINE] = node->call;
        } else {
            const struct sym_index_source *call =
                table_row(&writer->sources, node->call);
            numbers[SYM_NODE_CALLER] =
                start - word_of(&packed->offsets, node->caller);
            numbers[SYM_NODE_FILE] = word_of(&packed->ranks, call->file);
            numbers[SYM_NODE_LINE] = call->line;
            numbers[SYM_NODE_COLUMN] = call->column;
        }
        put_record(packed, part, 0, numbers, 0);
    }
}

/* ---- places ---- */

/* The numbers of an answer; all of them 0: nothing is known. */
struct answer {
    uint32_t numbers[SYM_INDEX_NUMBERS];
};

static struct answer answer_of(
    const struct sym_index_packed *packed,
    const struct sym_index_writer *writer, uint32_t place)
{
    const struct sym_index_answer *row = table_row(&writer->answers, place);
    const struct sym_index_source *source =
        table_row(&writer->sources, row->source);
    struct answer answer = {
        {[SYM_PLACE_FILE] = word_of(&packed->ranks, source->file),
         [SYM_PLACE_LINE] = source->line,
         [SYM_PLACE_COLUMN] = source->column,
         [SYM_PLACE_DISCRIMINATOR] = source->discriminator}};
    if (row->node != SYM_INDEX_NONE)
        answer.numbers[SYM_PLACE_NODE] =
            word_of(&packed->offsets, row->node) + 1;
    return answer;
}

static void pack_place(
    struct sym_index_packed *packed, uint32_t step, struct answer *before,
    const struct answer *answer)
{
    static const struct answer unknown;
    bool is_unknown = memcmp(answer, &unknown, sizeof unknown) == 0;
    struct answer change = unknown;
    for (int i = 0; i < SYM_INDEX_NUMBERS && !is_unknown; i++)
        change.numbers[i] = zigzag(answer->numbers[i] - before->numbers[i]);
    /* The same as before something unknown: say so, by a difference of 0. */
    bool is_again = !is_unknown && memcmp(answer, before, sizeof *before) == 0;
    put_record(packed, &packed->places, step, change.numbers, is_again);
    if (!is_unknown)
        *before = *answer;
}

static uint32_t shift_for(uint32_t reach, uint32_t place_count)
{
    uint32_t shift = 0;
    while (shift < 31 && reach >> shift > place_count / PLACES_A_STRETCH)
        shift++;
    return shift;
}

/* The places from `*next` on that are in the stretch which begins at `start`,
   behind what holds there. */
static void pack_stretch(
    struct sym_index_packed *packed, const struct sym_index_writer *writer,
    uint64_t start, uint32_t *next)
{
    uint32_t count = writer->places.count;
    uint64_t end = start + (UINT64_C(1) << packed->stretch_shift);
    struct answer before = {{0}}, answer = {{0}};
    uint64_t at = start;
    if (*next < count && word_of(&writer->places, *next) > start) {
        if (*next > 0)
            answer = answer_of(packed, writer, *next - 1);
        pack_place(packed, 0, &before, &answer);
    }
    for (; *next < count && word_of(&writer->places, *next) < end; ++*next) {
        uint32_t place = word_of(&writer->places, *next);
        answer = answer_of(packed, writer, *next);
        pack_place(packed, (uint32_t)(place - at), &before, &answer);
        at = place;
    }
}

static void pack_places(
    struct sym_index_packed *packed, const struct sym_index_writer *writer)
{
    uint32_t count = writer->places.count, next = 0;
    uint32_t reach = count > 0 ? word_of(&writer->places, count - 1) : 0;
    packed->stretch_shift = shift_for(reach, count);
    packed->stretch_count = (reach >> packed->stretch_shift) + 1;
    for (uint64_t i = 0; i < packed->stretch_count && !packed->has_failed;
         i++) {
        put_word(packed, &packed->directory, packed->places.count);
        pack_stretch(packed, writer, i << packed->stretch_shift, &next);
    }
    put_word(packed, &packed->directory, packed->places.count);
}

/* ---- all of it ---- */

bool sym_index_pack(
    struct sym_index_packed *packed, const struct sym_index_writer *writer)
{
    *packed = (struct sym_index_packed){
        .directory.row_bytes = sizeof(uint32_t),
        .groups.row_bytes = sizeof(uint32_t),
        .places.row_bytes = 1,
        .nodes.row_bytes = 1,
        .text.row_bytes = 1,
        .ranks.row_bytes = sizeof(uint32_t),
        .offsets.row_bytes = sizeof(uint32_t)};
    pack_strings(packed, writer);
    if (!packed->has_failed)
        pack_nodes(packed, writer);
    if (!packed->has_failed)
        pack_places(packed, writer);
    return !packed->has_failed;
}

void sym_index_packed_fini(struct sym_index_packed *packed)
{
    table_fini(&packed->directory);
    table_fini(&packed->groups);
    table_fini(&packed->places);
    table_fini(&packed->nodes);
    table_fini(&packed->text);
    table_fini(&packed->ranks);
    table_fini(&packed->offsets);
}
