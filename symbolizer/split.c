/* Finding the other half of a split unit. */
#include "symbolizer/split.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <dwarf.h>

#include "symbolizer/image_open.h"
#include "symbolizer/inflate.h"
#include "symbolizer/unit_header.h"

/* ---- what a unit is ---- */

/* The id of the root DIE, where units before DWARF 5 have it; 0: none. */
static uint64_t id_of_root(
    const struct sym_unit_source *source, const struct sym_unit_header *header)
{
    struct sym_abbrevs abbrevs;
    struct sym_bytes dies = header->dies;
    uint64_t id = 0;
    bool is_read = sym_abbrevs_read(
        &abbrevs,
        sym_bytes_of(
            source->abbrev.start, source->abbrev.count, header->abbrev_offset),
        &header->encoding, source->budget);
    const struct sym_abbrev *abbrev =
        is_read ? sym_abbrevs_find(&abbrevs, sym_bytes_uleb(&dies)) : NULL;
    for (uint32_t i = 0; abbrev != NULL && i < abbrev->attribute_count; i++) {
        const struct sym_attribute *attribute =
            sym_abbrevs_attributes(&abbrevs, abbrev) + i;
        struct sym_value value = sym_attribute_read(&dies, attribute);
        if (attribute->name == DW_AT_GNU_dwo_id)
            id = value.number;
    }
    sym_abbrevs_fini(&abbrevs);
    return dies.is_bad ? 0 : id;
}

/* Whether the unit that the source is set to is the one with this id. Sets
   what depends on its version. */
static bool is_wanted(struct sym_unit_source *source, uint64_t id)
{
    struct sym_bytes info =
        sym_bytes_of(source->info.start, source->info.count, source->offset);
    struct sym_unit_header header;
    if (!sym_unit_header_read(&header, &info))
        return false;
    bool is_wide = header.encoding.offset_bytes == 8;
    if (header.encoding.version < 5)
        return header.type == DW_UT_compile &&
               id_of_root(source, &header) == id;
    /* Both tables begin with a header, behind which counting starts. */
    source->string_table = is_wide ? 16 : 8;
    source->bases.range_table = is_wide ? 20 : 12;
    source->bases.ranges_base = 0;
    return header.type == DW_UT_split_compile && header.id == id;
}

/* Go through the units of a section to the one with this id. */
static bool find_unit(struct sym_unit_source *source, uint64_t id)
{
    struct sym_bytes info =
        sym_bytes_of(source->info.start, source->info.count, 0);
    const uint8_t *first = info.at;
    struct sym_unit_header header;
    while (sym_bytes_left(&info) > 0) {
        source->offset = (uint64_t)(info.at - first);
        if (is_wanted(source, id))
            return true;
        (void)sym_unit_header_read(&header, &info);
        if (info.is_bad)
            return false;
    }
    return false;
}

/* ---- files ---- */

/* The image, or the inflated copy of it where it is compressed; NULL when it
   cannot be inflated. */
static const struct sym_image *plain_image(
    const struct sym_image *image, struct sym_image *inflated,
    struct diag *problem)
{
    if (!sym_inflate_is_needed(image))
        return image;
    return sym_inflate(image, inflated, problem) == STATUS_OK ? inflated : NULL;
}

static void search_package(struct sym_split_files *files, struct diag *problem)
{
    const char *const beside[] = {files->runtime->path, files->image->path};
    files->is_package_searched = true;
    for (size_t i = 0; i < 2 && !files->has_package; i++) {
        char path[PATH_MAX];
        int length = snprintf(path, sizeof path, "%s.dwp", beside[i]);
        if (length < 0 || (size_t)length >= sizeof path ||
            sym_image_open(&files->package_file, path, NULL) != STATUS_OK)
            continue;
        const struct sym_image *plain = plain_image(
            &files->package_file, &files->inflated_package, problem);
        files->has_package =
            plain != NULL &&
            sym_package_open(&files->package, plain, problem) == STATUS_OK;
        if (files->has_package) {
            sym_budget_add(files->budget, plain->bytes_count);
            return;
        }
        sym_image_close(&files->inflated_package);
        sym_image_close(&files->package_file);
    }
}

static bool try_file(
    const struct sym_skeleton *skeleton, const char *path,
    struct sym_split_half *half, struct diag *problem)
{
    if (sym_image_open(&half->file, path, NULL) != STATUS_OK)
        return false; /* most candidates do not exist */
    const struct sym_image *plain =
        plain_image(&half->file, &half->inflated, problem);
    struct sym_unit_source *source = &half->source;
    if (plain != NULL) {
        sym_budget_add(source->budget, plain->bytes_count);
        source->info = sym_image_bytes(plain, ".debug_info.dwo");
        source->abbrev = sym_image_bytes(plain, ".debug_abbrev.dwo");
        source->str = sym_image_bytes(plain, ".debug_str.dwo");
        source->str_offsets = sym_image_bytes(plain, ".debug_str_offsets.dwo");
        source->bases.rnglists = sym_image_bytes(plain, ".debug_rnglists.dwo");
        if (find_unit(source, skeleton->id))
            return true;
        (void)fail(
            problem, STATUS_MISMATCH, "'%s' belongs to another build", path);
    }
    sym_split_half_close(half);
    return false;
}

/* Try "<folder><separator><name>". */
static bool try_name(
    const struct sym_skeleton *skeleton, int folder_bytes, const char *folder,
    const char *name, struct sym_split_half *half, struct diag *problem)
{
    char path[PATH_MAX];
    int length =
        snprintf(path, sizeof path, "%.*s%s", folder_bytes, folder, name);
    return length > 0 && (size_t)length < sizeof path &&
           try_file(skeleton, path, half, problem);
}

static bool try_files(
    const struct sym_split_files *files, const struct sym_skeleton *skeleton,
    struct sym_split_half *half, struct diag *problem)
{
    const char *name = skeleton->name, *slash = strrchr(name, '/');
    const char *last = slash != NULL ? slash + 1 : name;
    if (name[0] == '/') {
        if (try_name(skeleton, 0, "", name, half, problem))
            return true;
    } else if (skeleton->comp_dir[0] != '\0') {
        char folder[PATH_MAX];
        int bytes = snprintf(folder, sizeof folder, "%s/", skeleton->comp_dir);
        if (bytes > 0 && (size_t)bytes < sizeof folder &&
            try_name(skeleton, bytes, folder, name, half, problem))
            return true;
    }
    const char *const beside[] = {files->runtime->path, files->image->path};
    for (size_t i = 0; i < 2; i++) {
        const char *end = strrchr(beside[i], '/');
        int bytes = end != NULL ? (int)(end - beside[i] + 1) : 0;
        if ((name[0] != '/' &&
             try_name(skeleton, bytes, beside[i], name, half, problem)) ||
            try_name(skeleton, bytes, beside[i], last, half, problem))
            return true;
    }
    return false;
}

bool sym_split_find(
    struct sym_split_files *files, const struct sym_skeleton *skeleton,
    struct sym_split_half *half, struct diag *problem)
{
    struct diag reason = {0};
    const struct sym_unit_source unknown = {
        .bases = skeleton->bases, .is_split = true, .budget = files->budget};
    *half = (struct sym_split_half){.source = unknown};
    if (!files->is_package_searched)
        search_package(files, &reason);
    if (files->has_package &&
        sym_package_find(&files->package, skeleton->id, &half->source) &&
        is_wanted(&half->source, skeleton->id))
        return true;
    half->source = unknown;
    if (try_files(files, skeleton, half, &reason))
        return true;
    if (reason.text[0] != '\0')
        *problem = reason;
    else
        (void)fail(
            problem, STATUS_SYSTEM,
            "'%s' needs the file '%s' for inlined calls, not found",
            files->image->path, skeleton->name);
    return false;
}

void sym_split_half_close(struct sym_split_half *half)
{
    sym_image_close(&half->inflated);
    sym_image_close(&half->file);
}

void sym_split_files_close(struct sym_split_files *files)
{
    sym_image_close(&files->inflated_package);
    sym_image_close(&files->package_file);
}
