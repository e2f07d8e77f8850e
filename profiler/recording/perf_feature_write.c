/* The feature sections of a recording, written. */
#include "profiler/recording/perf_feature.h"

#include <string.h>

#include "profiler/recording/perf_annex.h"

typedef void put_feature(
    struct prof_buffer *bytes, const struct perf_feature_facts *facts);

static void put_string(struct prof_buffer *bytes, const char *text)
{
    size_t length = strlen(text);
    size_t padded = length + PERF_STRING_ALIGN - length % PERF_STRING_ALIGN;
    prof_buffer_u32(bytes, (uint32_t)padded);
    prof_buffer_text(bytes, text, length, PERF_STRING_ALIGN);
}

/* An origin that is not known leaves its section out. */
static void put_origin_text(
    struct prof_buffer *bytes, const struct perf_feature_facts *facts,
    uint32_t text)
{
    const char *known = prof_profile_text(facts->profile, text);
    if (*known)
        put_string(bytes, known);
}

static const struct prof_origin *origin_of(
    const struct perf_feature_facts *facts)
{
    return prof_profile_read_origin(facts->profile);
}

static void put_hostname(
    struct prof_buffer *bytes, const struct perf_feature_facts *facts)
{
    put_origin_text(bytes, facts, origin_of(facts)->hostname);
}

static void put_os_release(
    struct prof_buffer *bytes, const struct perf_feature_facts *facts)
{
    put_origin_text(bytes, facts, origin_of(facts)->os_release);
}

static void put_version(
    struct prof_buffer *bytes, const struct perf_feature_facts *facts)
{
    (void)facts;
    put_string(bytes, "watchfire " WATCHFIRE_VERSION);
}

static void put_architecture(
    struct prof_buffer *bytes, const struct perf_feature_facts *facts)
{
    put_origin_text(bytes, facts, origin_of(facts)->architecture);
}

static void put_cpu_count(
    struct prof_buffer *bytes, const struct perf_feature_facts *facts)
{
    uint32_t count = origin_of(facts)->cpu_count;
    if (count == 0)
        return;
    prof_buffer_u32(bytes, count); /* that could be online, */
    prof_buffer_u32(bytes, count); /* and that were */
}

static void put_command_line(
    struct prof_buffer *bytes, const struct perf_feature_facts *facts)
{
    const char *text =
        prof_profile_text(facts->profile, origin_of(facts)->command_line);
    if (*text == '\0')
        return;
    prof_buffer_u32(bytes, 1); /* strings; perf joins them with spaces */
    put_string(bytes, text);
}

static void put_event_description(
    struct prof_buffer *bytes, const struct perf_feature_facts *facts)
{
    prof_buffer_u32(bytes, 1); /* events */
    prof_buffer_u32(bytes, facts->attr->size);
    prof_buffer_put(bytes, facts->attr, facts->attr->size);
    prof_buffer_u32(bytes, 1); /* ids */
    put_string(bytes, facts->event_name);
    prof_buffer_u64(bytes, PERF_OWN_EVENT_ID);
}

static void put_sample_time(
    struct prof_buffer *bytes, const struct perf_feature_facts *facts)
{
    if (facts->first_ns > facts->last_ns)
        return; /* there was no sample */
    prof_buffer_u64(bytes, facts->first_ns);
    prof_buffer_u64(bytes, facts->last_ns);
}

static void put_build_id(
    struct prof_buffer *bytes, const struct prof_profile *profile,
    const struct prof_module *module)
{
    const char *path = prof_profile_text(profile, module->path);
    size_t length = strnlen(path, 4095);
    size_t padded = length + PERF_STRING_ALIGN - length % PERF_STRING_ALIGN;
    unsigned char build_id[24] = {0};
    memcpy(build_id, module->build_id, module->build_id_bytes);
    build_id[PROF_BUILD_ID_BYTES] = module->build_id_bytes;

    bool is_kernel = module->kind == PROF_MODULE_KERNEL;
    uint32_t misc = is_kernel ? PERF_RECORD_MISC_KERNEL : PERF_RECORD_MISC_USER;
    size_t size = sizeof(struct perf_event_header) + 4 + sizeof build_id;
    prof_buffer_u32(bytes, 0); /* perf leaves the type empty here */
    prof_buffer_u16(bytes, (uint16_t)(misc | PERF_MISC_BUILD_ID_SIZE));
    prof_buffer_u16(bytes, (uint16_t)(size + padded));
    prof_buffer_u32(bytes, UINT32_MAX); /* pid -1: this machine, no guest */
    prof_buffer_put(bytes, build_id, sizeof build_id);
    prof_buffer_text(bytes, path, length, PERF_STRING_ALIGN);
}

static void put_build_ids(
    struct prof_buffer *bytes, const struct perf_feature_facts *facts)
{
    uint32_t count = prof_profile_module_count(facts->profile);
    for (uint32_t id = 0; id < count; id++) {
        const struct prof_module *module =
            prof_profile_module(facts->profile, id);
        if (module->build_id_bytes > 0)
            put_build_id(bytes, facts->profile, module);
    }
}

static void put_annex(
    struct prof_buffer *bytes, const struct perf_feature_facts *facts)
{
    prof_perf_annex_write(
        bytes, facts->profile, facts->annex_rows, facts->annex_row_bytes);
}

/* In the order of their bits, as the table must be. */
static const struct {
    enum perf_feature bit;
    put_feature *put;
} sections[] = {
    {PERF_FEATURE_BUILD_ID, put_build_ids},
    {PERF_FEATURE_HOSTNAME, put_hostname},
    {PERF_FEATURE_OSRELEASE, put_os_release},
    {PERF_FEATURE_VERSION, put_version},
    {PERF_FEATURE_ARCH, put_architecture},
    {PERF_FEATURE_NRCPUS, put_cpu_count},
    {PERF_FEATURE_CMDLINE, put_command_line},
    {PERF_FEATURE_EVENT_DESC, put_event_description},
    {PERF_FEATURE_SAMPLE_TIME, put_sample_time},
    {PERF_FEATURE_ANNEX, put_annex},
};

enum { SECTION_COUNT = sizeof sections / sizeof sections[0] };

size_t prof_perf_put_features(
    struct prof_buffer *bytes, uint64_t offset,
    const struct perf_feature_facts *facts, uint64_t bits[PERF_FEATURE_WORDS])
{
    /* The table's length must be known first: sections that stay empty are
       found by writing them all behind a table, which then is cut to size. */
    struct prof_buffer body = {0};
    struct perf_section table[SECTION_COUNT];
    uint32_t count = 0;
    memset(bits, 0, PERF_FEATURE_WORDS * sizeof *bits);

    for (uint32_t i = 0; i < SECTION_COUNT; i++) {
        size_t at = body.count;
        sections[i].put(&body, facts);
        if (body.count == at)
            continue;
        table[count++] = (struct perf_section){at, body.count - at};
        bits[sections[i].bit / 64] |= 1ULL << sections[i].bit % 64;
    }
    if (body.is_failed) {
        bytes->is_failed = true;
        prof_buffer_fini(&body);
        return 0;
    }
    struct perf_section *annex = &table[count - 1];
    size_t annex_at = bytes->count + count * sizeof table[0] + annex->offset;
    annex->bytes += facts->annex_row_bytes + PERF_ANNEX_TAIL_BYTES;
    offset += count * sizeof table[0];
    for (uint32_t i = 0; i < count; i++)
        table[i].offset += offset;

    prof_buffer_put(bytes, table, count * sizeof table[0]);
    prof_buffer_put(bytes, body.data, body.count);
    prof_buffer_fini(&body);
    return annex_at;
}
