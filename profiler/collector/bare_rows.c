/* What scans of code have told; see the header. */
#include "profiler/collector/bare_rows.h"

#include <string.h>

/* More are no use: code that changes all the time has them. */
enum { ROWS_MAX = 65536 };

struct row {
    uint64_t function, pc;
    struct prof_scanned_frame frame;
    bool is_known;
};

struct key {
    uint64_t function, pc;
};

void prof_bare_rows_init(struct prof_bare_rows *rows)
{
    *rows = (struct prof_bare_rows){.rows = {.row_bytes = sizeof(struct row)}};
}

void prof_bare_rows_fini(struct prof_bare_rows *rows)
{
    table_fini(&rows->rows);
    index_fini(&rows->by_pc);
}

static void begin_anew(struct prof_bare_rows *rows, uint32_t version)
{
    prof_bare_rows_fini(rows);
    prof_bare_rows_init(rows);
    rows->version = version;
}

static bool same_key(const void *owner, uint32_t id, const void *key)
{
    const struct prof_bare_rows *rows = owner;
    const struct row *row = table_row(&rows->rows, id);
    return memcmp(
               &(struct key){row->function, row->pc}, key,
               sizeof(struct key)) == 0;
}

bool prof_bare_rows_frame(
    struct prof_bare_rows *rows, uint32_t version, struct prof_reader *bytes,
    uint64_t function, uint64_t pc, struct prof_scanned_frame *frame)
{
    if (rows->version != version || rows->rows.count >= ROWS_MAX)
        begin_anew(rows, version);
    const struct key key = {function, pc};
    uint32_t hash = hash_bytes(&key, sizeof key);
    uint32_t id = index_find(&rows->by_pc, hash, same_key, rows, &key);
    if (id == TABLE_NONE) {
        struct row row = {.function = function, .pc = pc};
        row.is_known = prof_frame_scan(bytes, function, pc, &row.frame);
        id = table_add(&rows->rows, &row);
        if (id == TABLE_NONE || !index_add(&rows->by_pc, hash, id))
            return false;
    }
    const struct row *row = table_row(&rows->rows, id);
    *frame = row->frame;
    return row->is_known;
}
