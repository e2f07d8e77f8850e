/* Interned strings: an arena of chunks, and an index over their content. */
#include "symbolizer/strings.h"

#include <stdlib.h>
#include <string.h>

#include "symbolizer/demangle.h"

enum { CHUNK_BYTES = 64 * 1024 };

struct entry {
    const char *text;
    uint32_t bytes;
    uint32_t demangled; /* id, SYM_NO_STRING until asked for */
};

struct text_key {
    const char *text;
    size_t bytes;
};

static const struct entry *entry_at(
    const struct sym_strings *strings, uint32_t id)
{
    return table_row(&strings->entries, id);
}

static bool entry_equal(const void *owner, uint32_t id, const void *key)
{
    const struct entry *entry = entry_at(owner, id);
    const struct text_key *wanted = key;
    return entry->bytes == wanted->bytes &&
           memcmp(entry->text, wanted->text, wanted->bytes) == 0;
}

bool sym_strings_init(struct sym_strings *strings)
{
    *strings = (struct sym_strings){
        .chunks.row_bytes = sizeof(char *),
        .entries.row_bytes = sizeof(struct entry)};
    return sym_strings_add(strings, "", 0) == 0;
}

void sym_strings_fini(struct sym_strings *strings)
{
    for (uint32_t i = 0; i < strings->chunks.count; i++)
        free(*(char **)table_row(&strings->chunks, i));
    table_fini(&strings->chunks);
    table_fini(&strings->entries);
    index_fini(&strings->index);
}

static bool add_chunk(struct sym_strings *strings, size_t bytes)
{
    char *chunk = malloc(bytes);
    if (chunk == NULL)
        return false;
    if (table_add(&strings->chunks, &chunk) == TABLE_NONE) {
        free(chunk);
        return false;
    }
    strings->chunk_bytes = bytes;
    strings->used_bytes = 0;
    return true;
}

/* A copy of the text with a NUL behind it, or NULL. */
static const char *store(
    struct sym_strings *strings, const char *text, size_t bytes)
{
    if (bytes >= strings->chunk_bytes - strings->used_bytes) {
        size_t wanted = bytes < CHUNK_BYTES ? CHUNK_BYTES : bytes + 1;
        if (!add_chunk(strings, wanted))
            return NULL;
    }
    char *chunk =
        *(char **)table_row(&strings->chunks, strings->chunks.count - 1);
    char *copy = chunk + strings->used_bytes;
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    strings->used_bytes += bytes + 1;
    return copy;
}

uint32_t sym_strings_add(
    struct sym_strings *strings, const char *text, size_t bytes)
{
    if (bytes >= UINT32_MAX)
        return SYM_NO_STRING;
    struct text_key key = {.text = text, .bytes = bytes};
    uint32_t hash = hash_bytes(text, bytes);
    uint32_t id = index_find(&strings->index, hash, entry_equal, strings, &key);
    if (id != TABLE_NONE)
        return id;

    struct entry entry = {
        .text = store(strings, text, bytes),
        .bytes = (uint32_t)bytes,
        .demangled = SYM_NO_STRING};
    if (entry.text == NULL)
        return SYM_NO_STRING;
    id = table_add(&strings->entries, &entry);
    if (id == TABLE_NONE || !index_add(&strings->index, hash, id))
        return SYM_NO_STRING;
    return id;
}

const char *sym_strings_text(const struct sym_strings *strings, uint32_t id)
{
    return id < strings->entries.count ? entry_at(strings, id)->text : "";
}

const char *sym_strings_demangled(struct sym_strings *strings, uint32_t id)
{
    if (id >= strings->entries.count)
        return "";
    uint32_t found = entry_at(strings, id)->demangled;
    if (found != SYM_NO_STRING)
        return sym_strings_text(strings, found);

    char text[SYM_DEMANGLED_BYTES];
    size_t bytes = sym_demangle(entry_at(strings, id)->text, text, sizeof text);
    found = bytes ? sym_strings_add(strings, text, bytes) : id;
    if (found == SYM_NO_STRING)
        return NULL;
    ((struct entry *)table_row(&strings->entries, id))->demangled = found;
    return sym_strings_text(strings, found);
}
