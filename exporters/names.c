/* Clean, interned texts. */
#include "exporters/names.h"

#include <stdbool.h>
#include <string.h>

#include "exporters/text.h"

void exp_names_init(struct exp_names *names)
{
    *names = (struct exp_names){
        .text = {.row_bytes = 1}, .string = {.row_bytes = sizeof(uint32_t)}};
}

void exp_names_fini(struct exp_names *names)
{
    table_fini(&names->text);
    table_fini(&names->string);
    index_fini(&names->index);
}

const char *exp_names_text(const struct exp_names *names, uint32_t id)
{
    uint32_t at = *(uint32_t *)table_row(&names->string, id);
    return table_row(&names->text, at);
}

/* Append the clean form and its NUL; where it begins, or TABLE_NONE. */
static uint32_t append_clean(struct table *out, const char *text)
{
    uint32_t first = out->count;
    while (*text != '\0') {
        size_t plain = exp_text_plain(text);
        char bytes[EXP_TEXT_UTF8_BYTES];
        const char *next = plain > 0 ? text : bytes;
        if (plain > 0)
            text += plain;
        else
            plain =
                exp_text_encode(exp_text_clean(exp_text_next(&text)), bytes);
        if (table_add_many(out, next, (uint32_t)plain) == TABLE_NONE)
            return TABLE_NONE;
    }
    return table_add(out, "") == TABLE_NONE ? TABLE_NONE : first;
}

static bool text_equal(const void *owner, uint32_t id, const void *key)
{
    return strcmp(exp_names_text(owner, id), key) == 0;
}

uint32_t exp_names_add(struct exp_names *names, const char *text)
{
    uint32_t first = append_clean(&names->text, text);
    if (first == TABLE_NONE)
        return TABLE_NONE;

    const char *clean = table_row(&names->text, first);
    uint32_t hash = hash_bytes(clean, strlen(clean));
    uint32_t id = index_find(&names->index, hash, text_equal, names, clean);
    if (id != TABLE_NONE) {
        names->text.count = first; /* known: take it back */
        return id;
    }
    id = table_add(&names->string, &first);
    if (id == TABLE_NONE || !index_add(&names->index, hash, id))
        return TABLE_NONE;
    return id;
}
