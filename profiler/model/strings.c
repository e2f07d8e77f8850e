/* Interned strings. */
#include "profiler/model/strings.h"

#include <stdbool.h>
#include <string.h>

#include "profiler/model/rows.h"

struct key {
    const char *text;
    size_t bytes;
};

void prof_strings_init(struct prof_strings *strings)
{
    *strings = (struct prof_strings){
        .text = {.row_bytes = 1}, .at = {.row_bytes = sizeof(uint32_t)}};
}

void prof_strings_fini(struct prof_strings *strings)
{
    table_fini(&strings->text);
    table_fini(&strings->at);
    index_fini(&strings->ids);
}

static struct key key_of(const char *text, size_t bytes)
{
    return (struct key){.text = text, .bytes = strnlen(text, bytes)};
}

static bool is_equal(const void *owner, uint32_t id, const void *key)
{
    const struct key *wanted = key;
    const char *text = prof_strings_text(owner, id);
    return strncmp(text, wanted->text, wanted->bytes) == 0 &&
           text[wanted->bytes] == '\0';
}

uint32_t prof_strings_find(
    const struct prof_strings *strings, const char *text, size_t bytes)
{
    struct key key = key_of(text, bytes);
    uint32_t id = index_find(
        &strings->ids, hash_bytes(text, key.bytes), is_equal, strings, &key);
    return id == TABLE_NONE ? PROF_NONE : id;
}

uint32_t prof_strings_add(
    struct prof_strings *strings, const char *text, size_t bytes)
{
    struct key key = key_of(text, bytes);
    if (key.bytes >= UINT32_MAX)
        return PROF_NONE;
    uint32_t at = table_add_many(&strings->text, text, (uint32_t)key.bytes);
    if (at == TABLE_NONE || table_add(&strings->text, "") == TABLE_NONE)
        return PROF_NONE;
    uint32_t id = table_add(&strings->at, &at);
    if (id == TABLE_NONE ||
        !index_add(&strings->ids, hash_bytes(text, key.bytes), id))
        return PROF_NONE;
    return id;
}

const char *prof_strings_text(const struct prof_strings *strings, uint32_t id)
{
    if (id >= strings->at.count)
        return "";
    uint32_t at = *(uint32_t *)table_row(&strings->at, id);
    return table_row(&strings->text, at);
}
