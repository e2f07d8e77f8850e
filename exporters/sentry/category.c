/* Categories, and the items of an envelope that belong to them. */
#include "exporters/sentry/category.h"

#include <stdbool.h>
#include <string.h>

static const char *const categories[] = {
#define CATEGORY_ROW(name, text) [EXP_CATEGORY_##name] = text,
    EXP_CATEGORY_LIST(CATEGORY_ROW)
#undef CATEGORY_ROW
};

static const struct {
    const char *name;
    enum exp_category category;
    enum exp_rank rank;
} items[] = {
#define ITEM_ROW(name, text, category, rank)                                   \
    [EXP_ITEM_##name] = {text, EXP_CATEGORY_##category, EXP_RANK_##rank},
    EXP_ITEM_LIST(ITEM_ROW)
#undef ITEM_ROW
};

static bool is_name(const char *name, const char *text, size_t bytes)
{
    return strlen(name) == bytes && memcmp(name, text, bytes) == 0;
}

const char *exp_category_name(enum exp_category category)
{
    return categories[category];
}

enum exp_category exp_category_find(const char *name, size_t bytes)
{
    int category = 0;
    while (category < EXP_CATEGORY_COUNT &&
           !is_name(categories[category], name, bytes))
        category++;
    return (enum exp_category)category;
}

const char *exp_item_name(enum exp_item_type type)
{
    return items[type].name;
}

enum exp_category exp_item_category(enum exp_item_type type)
{
    return items[type].category;
}

enum exp_rank exp_item_rank(enum exp_item_type type)
{
    return items[type].rank;
}

enum exp_item_type exp_item_find(const char *name, size_t bytes)
{
    for (int type = EXP_ITEM_OTHER + 1; type < EXP_ITEM_TYPE_COUNT; type++) {
        if (is_name(items[type].name, name, bytes))
            return (enum exp_item_type)type;
    }
    return EXP_ITEM_OTHER;
}
