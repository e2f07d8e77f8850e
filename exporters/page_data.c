/* The data block of a flame graph page. */
#include "exporters/page.h"

#include <stdlib.h>
#include <string.h>

#include "exporters/json.h"
#include "exporters/tree.h"
#include "exporters/writer.h"

/* A frame as the data holds it: what is equal is written once. */
struct shown_frame {
    uint32_t name, kind, module, file, line;
};

/* Ids as the data counts them: small, and in order of first use. */
struct dense {
    uint32_t *ids;     /* by the id of the owner, or TABLE_NONE */
    struct table used; /* uint32_t: the owner's ids */
};

struct data {
    const struct exp_page *page;
    struct exp_json json;
    struct dense name, module, file;
    struct table frame; /* struct shown_frame */
    struct index frame_index;
    uint32_t *frames; /* of each cell, a row of `frame` */
};

static bool dense_init(struct dense *dense, uint32_t count)
{
    size_t bytes = ((size_t)count + 1) * sizeof *dense->ids;
    *dense = (struct dense){
        .ids = malloc(bytes), .used = {.row_bytes = sizeof(uint32_t)}};
    if (dense->ids != NULL)
        memset(dense->ids, 0xff, bytes);
    return dense->ids != NULL;
}

static void dense_fini(struct dense *dense)
{
    free(dense->ids);
    table_fini(&dense->used);
}

/* TABLE_NONE when out of memory. */
static uint32_t dense_id(struct dense *dense, uint32_t id)
{
    if (dense->ids[id] == TABLE_NONE)
        dense->ids[id] = table_add(&dense->used, &id);
    return dense->ids[id];
}

static bool frame_equal(const void *owner, uint32_t id, const void *key)
{
    const struct data *data = owner;
    return memcmp(
               table_row(&data->frame, id), key, sizeof(struct shown_frame)) ==
           0;
}

static uint32_t intern_frame(struct data *data, const struct shown_frame *frame)
{
    uint32_t hash = hash_bytes(frame, sizeof *frame);
    uint32_t id =
        index_find(&data->frame_index, hash, frame_equal, data, frame);
    if (id != TABLE_NONE)
        return id;
    id = table_add(&data->frame, frame);
    if (id == TABLE_NONE || !index_add(&data->frame_index, hash, id))
        return TABLE_NONE;
    return id;
}

static uint32_t frame_of(struct data *data, const struct exp_node *node)
{
    const struct exp_frame *frame = &node->frame;
    struct shown_frame shown = {
        .name = dense_id(&data->name, frame->name),
        .kind = (uint32_t)frame->kind * 2 + frame->is_inlined,
        .line = frame->line * 2 + node->has_other_lines,
    };
    bool is_done = shown.name != TABLE_NONE;
    if (frame->module != PROF_NONE) {
        uint32_t module = dense_id(&data->module, frame->module);
        is_done = is_done && module != TABLE_NONE;
        shown.module = module + 1;
    }
    if (frame->file != 0) {
        uint32_t file = dense_id(&data->file, frame->file);
        is_done = is_done && file != TABLE_NONE;
        shown.file = file + 1;
    }
    return is_done ? intern_frame(data, &shown) : TABLE_NONE;
}

static bool collect(struct data *data)
{
    const struct exp_page *page = data->page;
    const struct prof_profile *profile = page->profile;
    data->frames = malloc((size_t)page->cell.count * sizeof *data->frames);
    /* Every table is set up before the first failure counts, for fini. */
    bool has_name = dense_init(&data->name, exp_tree_name_count(page->tree));
    bool has_module =
        dense_init(&data->module, prof_profile_module_count(profile));
    bool has_file = dense_init(&data->file, prof_profile_string_count(profile));
    if (data->frames == NULL || !has_name || !has_module || !has_file)
        return false;

    for (uint32_t at = 0; at < page->cell.count; at++) {
        const struct exp_cell *cell = table_row(&page->cell, at);
        data->frames[at] =
            frame_of(data, exp_tree_node(page->tree, cell->node));
        if (data->frames[at] == TABLE_NONE)
            return false;
    }
    return true;
}

typedef const char *data_text(const struct exp_page *page, uint32_t id);

static const char *name_text(const struct exp_page *page, uint32_t id)
{
    return exp_tree_name(page->tree, id);
}

static const char *file_text(const struct exp_page *page, uint32_t id)
{
    return prof_profile_text(page->profile, id);
}

static const char *module_text(const struct exp_page *page, uint32_t id)
{
    return file_text(page, prof_profile_module(page->profile, id)->path);
}

static void write_texts(
    struct data *data, const char *key, const struct dense *dense,
    data_text *text)
{
    exp_json_key(&data->json, key);
    exp_json_begin_array(&data->json);
    for (uint32_t at = 0; at < dense->used.count; at++) {
        uint32_t id = *(uint32_t *)table_row(&dense->used, at);
        exp_json_string(&data->json, text(data->page, id));
    }
    exp_json_end(&data->json);
}

static void write_kinds(struct exp_json *json)
{
    exp_json_key(json, "kinds");
    exp_json_begin_array(json);
    for (int kind = 0; kind < EXP_KIND_COUNT; kind++)
        exp_json_string(json, exp_kind_text(kind));
    exp_json_end(json);
}

static void write_frames(struct data *data)
{
    exp_json_key(&data->json, "frames");
    exp_json_begin_array(&data->json);
    for (uint32_t id = 0; id < data->frame.count; id++) {
        const struct shown_frame *frame = table_row(&data->frame, id);
        exp_json_u64(&data->json, frame->name);
        exp_json_u64(&data->json, frame->kind);
        exp_json_u64(&data->json, frame->module);
        exp_json_u64(&data->json, frame->file);
        exp_json_u64(&data->json, frame->line);
    }
    exp_json_end(&data->json);
}

static void write_nodes(struct data *data)
{
    const struct exp_page *page = data->page;
    exp_json_key(&data->json, "nodes");
    exp_json_begin_array(&data->json);
    uint32_t deepest = 0; /* where a child of the last node would stand */
    for (uint32_t at = 0; at < page->cell.count; at++) {
        const struct exp_cell *cell = table_row(&page->cell, at);
        const struct exp_node *node = exp_tree_node(page->tree, cell->node);
        exp_json_u64(&data->json, deepest - node->depth);
        exp_json_u64(&data->json, data->frames[at]);
        exp_json_u64(&data->json, node->total);
        exp_json_u64(&data->json, node->self);
        deepest = node->depth + 1;
    }
    exp_json_end(&data->json);
}

/* What of each node is off CPU; empty where nothing is. */
static void write_off_cpu(struct data *data)
{
    const struct exp_page *page = data->page;
    exp_json_key(&data->json, "off");
    exp_json_begin_array(&data->json);
    bool has_off_cpu = exp_tree_node(page->tree, EXP_NODE_ROOT)->off > 0;
    for (uint32_t at = 0; has_off_cpu && at < page->cell.count; at++) {
        const struct exp_cell *cell = table_row(&page->cell, at);
        exp_json_u64(&data->json, exp_tree_node(page->tree, cell->node)->off);
    }
    exp_json_end(&data->json);
}

static void write_head(struct data *data)
{
    const struct exp_page *page = data->page;
    struct exp_json *json = &data->json;
    exp_json_member_string(json, "title", page->title);
    exp_json_member_string(json, "command", page->command);
    exp_json_member_string(json, "facts", page->facts);
    exp_json_member_string(json, "losses", page->losses);
    exp_json_key(json, "is_good");
    exp_json_bool(json, page->is_good);
    exp_json_key(json, "is_icicle");
    exp_json_bool(json, page->options->is_icicle);
    exp_json_member_string(json, "unit", exp_page_unit(page));
    exp_json_key(json, "period");
    exp_json_u64(json, prof_profile_read_origin(page->profile)->period_ns);
}

static void write_object(struct data *data)
{
    exp_json_begin_object(&data->json);
    write_head(data);
    write_kinds(&data->json);
    write_texts(data, "names", &data->name, name_text);
    write_texts(data, "modules", &data->module, module_text);
    write_texts(data, "files", &data->file, file_text);
    write_frames(data);
    write_nodes(data);
    write_off_cpu(data);
    exp_json_end(&data->json);
}

void exp_page_write_data(const struct exp_page *page, struct exp_writer *writer)
{
    struct data data = {
        .page = page,
        .json = exp_json_init(writer, EXP_JSON_MARKUP),
        .frame = {.row_bytes = sizeof(struct shown_frame)}};
    if (collect(&data))
        write_object(&data);
    else
        exp_writer_fail(writer, STATUS_NO_MEMORY);

    dense_fini(&data.name);
    dense_fini(&data.module);
    dense_fini(&data.file);
    table_fini(&data.frame);
    index_fini(&data.frame_index);
    free(data.frames);
}
