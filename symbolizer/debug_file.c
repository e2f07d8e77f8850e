/* Finding what was stripped from a file. */
#include "symbolizer/debug_file.h"

#include <limits.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <elfutils/libdwelf.h>

#include "symbolizer/image_open.h"

/* What one symbol table may inflate to; the largest known have 20 MB. */
#define EMBEDDED_LIMIT_BYTES   (UINT64_C(256) << 20)
#define EMBEDDED_BASE_BYTES    (UINT64_C(4) << 20)
#define EMBEDDED_TIMES         32

/* xz -9 needs 65 MiB. */
#define DICTIONARY_LIMIT_BYTES (UINT64_C(80) << 20)

/* What a candidate must prove. */
struct claim {
    const uint8_t *build_id;
    size_t build_id_bytes;
    bool has_crc;
    uint32_t crc;
};

static uint32_t content_crc(const struct sym_image *image)
{
    uLong crc = crc32(0, NULL, 0);
    const unsigned char *at = image->bytes;
    for (size_t left = image->bytes_count; left > 0;) {
        uInt step = left < INT_MAX ? (uInt)left : INT_MAX;
        crc = crc32(crc, at, step);
        at += step;
        left -= step;
    }
    return (uint32_t)crc;
}

static bool is_true(const struct claim *claim, const struct sym_image *image)
{
    if (claim->build_id_bytes > 0 && image->build_id_bytes > 0)
        return sym_image_has_build_id(
            image, claim->build_id, claim->build_id_bytes);
    return claim->has_crc && content_crc(image) == claim->crc;
}

static bool is_same_file(const struct sym_image *a, const struct sym_image *b)
{
    return a->identity.st_ino != 0 &&
           a->identity.st_ino == b->identity.st_ino &&
           a->identity.st_dev == b->identity.st_dev;
}

/* Open `path` as `found` if it proves the claim. */
static bool try_path(
    const char *path, const struct claim *claim, const struct sym_image *image,
    struct sym_image *found, struct diag *problem)
{
    if (sym_image_open(found, path, NULL) != STATUS_OK)
        return false; /* most candidates do not exist */
    if (is_same_file(image, found)) {
        sym_image_close(found);
        return false;
    }
    if (!is_true(claim, found)) {
        (void)fail(
            problem, STATUS_MISMATCH,
            "debug file '%s' belongs to another build of '%s'", path,
            image->path);
        sym_image_close(found);
        return false;
    }
    return true;
}

static bool try_build_id(
    const struct claim *claim, const struct sym_image *image, char *const *dirs,
    struct sym_image *found, struct diag *problem)
{
    if (claim->build_id_bytes < 2)
        return false;
    char hex[2 * SYM_BUILD_ID_BYTES + 1];
    for (size_t i = 0; i < claim->build_id_bytes; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", claim->build_id[i]);

    for (; *dirs != NULL; dirs++) {
        char path[PATH_MAX];
        int length = snprintf(
            path, sizeof path, "%s/.build-id/%.2s/%s.debug", *dirs, hex,
            hex + 2);
        if (length > 0 && (size_t)length < sizeof path &&
            try_path(path, claim, image, found, problem))
            return true;
    }
    return false;
}

/* Try "<prefix><folder of file><middle><name>". */
static bool try_beside(
    const char *prefix, const char *file, const char *middle, const char *name,
    const struct claim *claim, const struct sym_image *image,
    struct sym_image *found, struct diag *problem)
{
    const char *slash = strrchr(file, '/');
    int folder_bytes = slash ? (int)(slash - file + 1) : 0;
    char path[PATH_MAX];
    int length = snprintf(
        path, sizeof path, "%s%.*s%s%s", prefix, folder_bytes, file, middle,
        name);
    return length > 0 && (size_t)length < sizeof path &&
           try_path(path, claim, image, found, problem);
}

static bool try_link(
    const struct sym_debug_search *search, const struct claim *claim,
    const char *name, struct sym_image *debug, struct diag *problem)
{
    const struct sym_image *image = search->image;
    /* Where it was opened, which may be below /proc/PID/root, and where the
       target saw it. */
    const char *const files[] = {image->path, search->path};
    for (size_t i = 0; i < 2; i++) {
        if (try_beside("", files[i], "", name, claim, image, debug, problem) ||
            try_beside(
                "", files[i], ".debug/", name, claim, image, debug, problem))
            return true;
    }
    if (search->path[0] != '/')
        return false;
    for (char *const *dir = search->dirs; *dir != NULL; dir++) {
        if (try_beside(
                *dir, search->path, "", name, claim, image, debug, problem))
            return true;
    }
    return false;
}

/* A link must be a plain file name: it may not lead out of the folders. */
static bool is_plain_name(const char *name)
{
    return name[0] != '\0' && strchr(name, '/') == NULL;
}

bool sym_debug_find(
    const struct sym_debug_search *search, struct sym_image *debug,
    struct diag *problem)
{
    struct claim claim = {
        .build_id = search->image->build_id,
        .build_id_bytes = search->image->build_id_bytes};
    if (try_build_id(&claim, search->image, search->dirs, debug, problem))
        return true;

    GElf_Word crc;
    const char *name = dwelf_elf_gnu_debuglink(search->image->elf, &crc);
    if (name == NULL || !is_plain_name(name))
        return false;
    claim.has_crc = true;
    claim.crc = crc;
    return try_link(search, &claim, name, debug, problem);
}

bool sym_debug_find_supplement(
    const struct sym_image *image, Dwarf *dwarf, char *const *dirs,
    struct sym_image *supplement, struct diag *problem)
{
    const char *name;
    const void *build_id;
    ssize_t bytes = dwelf_dwarf_gnu_debugaltlink(dwarf, &name, &build_id);
    if (bytes <= 0)
        return false;
    struct claim claim = {
        .build_id = build_id,
        .build_id_bytes =
            bytes < SYM_BUILD_ID_BYTES ? (size_t)bytes : SYM_BUILD_ID_BYTES};

    if (try_build_id(&claim, image, dirs, supplement, problem))
        return true;
    const char *file = name[0] == '/' ? "" : image->path;
    if (try_beside("", file, "", name, &claim, image, supplement, problem))
        return true;
    if (problem->text[0] == '\0')
        (void)fail(
            problem, STATUS_SYSTEM, "'%s' needs the file '%s', not found",
            image->path, name);
    return false;
}

/* ---- .gnu_debugdata ---- */

/* What a table of symbols may inflate to; real ones reach 6 times. */
static size_t embedded_limit(size_t bytes_count)
{
    size_t limit = EMBEDDED_BASE_BYTES + EMBEDDED_TIMES * bytes_count;
    return limit < EMBEDDED_LIMIT_BYTES ? limit : EMBEDDED_LIMIT_BYTES;
}

/* The whole xz stream on the heap, or NULL. */
static void *inflate_xz(const Elf_Data *data, size_t *bytes_count)
{
    size_t limit = embedded_limit(data->d_size);
    lzma_stream stream = LZMA_STREAM_INIT;
    if (lzma_stream_decoder(&stream, DICTIONARY_LIMIT_BYTES, 0) != LZMA_OK)
        return NULL;
    stream.next_in = data->d_buf;
    stream.avail_in = data->d_size;

    uint8_t *bytes = NULL;
    size_t capacity = 0, used = 0;
    lzma_ret result = LZMA_OK;
    while (result == LZMA_OK && capacity < limit) {
        capacity = capacity ? capacity * 2 : data->d_size * 4 + 4096;
        if (capacity > limit)
            capacity = limit;
        uint8_t *larger = realloc(bytes, capacity);
        if (larger == NULL)
            break;
        bytes = larger;
        stream.next_out = bytes + used;
        stream.avail_out = capacity - used;
        result = lzma_code(&stream, LZMA_FINISH);
        used = capacity - stream.avail_out;
    }
    lzma_end(&stream);
    if (result != LZMA_STREAM_END) {
        free(bytes);
        return NULL;
    }
    *bytes_count = used;
    return bytes;
}

bool sym_debug_open_embedded(
    const struct sym_image *image, struct sym_image *embedded,
    struct diag *problem)
{
    GElf_Shdr header;
    Elf_Scn *section = sym_image_section(image, ".gnu_debugdata", &header);
    Elf_Data *data = section ? elf_rawdata(section, NULL) : NULL;
    if (data == NULL || data->d_buf == NULL ||
        data->d_size > EMBEDDED_LIMIT_BYTES)
        return false;

    size_t bytes_count;
    void *bytes = inflate_xz(data, &bytes_count);
    if (bytes == NULL) {
        (void)fail(
            problem, STATUS_MALFORMED,
            "'%s': .gnu_debugdata is damaged, or too large", image->path);
        return false;
    }
    return sym_image_adopt(
               embedded, image->path, bytes, bytes_count, problem) == STATUS_OK;
}
