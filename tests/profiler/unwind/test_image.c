/* ELF files as sources of CFI. */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/unwind/image.h"
#include "profiler/unwind/sig_row_table.h"
#include "tests/harness.h"

static struct prof_image *open_image(const char *path)
{
    struct prof_image *image;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_OK(prof_image_open(fd, path, &image, NULL));
    /* The descriptor must outlive the image; the process does. */
    return image;
}

static char *read_file(const char *path, size_t *size)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_OK(fstat(fd, &status));
    *size = (size_t)status.st_size;
    char *bytes = malloc(*size);
    CHECK(bytes != NULL);
    CHECK(read(fd, bytes, *size) == (ssize_t)*size);
    (void)close(fd);
    return bytes;
}

TEST(a_file_without_section_headers_keeps_its_cfi)
{
    struct prof_text whole, bare;
    size_t size;
    struct prof_image *image = open_image("/proc/self/exe"), *stripped;
    CHECK(prof_image_texts(image, 0, &whole, 1) == 1);
    char *bytes = read_file("/proc/self/exe", &size);
    Elf64_Ehdr *header = (void *)bytes;
    header->e_shoff = 0;
    header->e_shnum = header->e_shstrndx = 0;
    CHECK_OK(prof_image_open_memory(bytes, size, "bare", &stripped, NULL));
    CHECK(prof_image_texts(stripped, 0, &bare, 1) == 1);
    CHECK(whole.eh_frame.index_count > 0);
    CHECK_EQ(bare.eh_frame.index_count, whole.eh_frame.index_count);
    CHECK_EQ(bare.eh_frame.address, whole.eh_frame.address);
    prof_image_close(stripped);
    prof_image_close(image);
    free(bytes);
}

TEST(what_is_no_elf_file_is_refused)
{
    struct prof_image *image;
    struct diag diag;
    char text[] = "#!/bin/sh\n";
    CHECK_EQ(
        prof_image_open_memory(text, sizeof text, "text", &image, &diag),
        STATUS_UNSUPPORTED);
    CHECK(strstr(diag.text, "text") != NULL);
}

/* The bias of every loaded object, as the loader says and as its maps do. */
static int check_bias(struct dl_phdr_info *info, size_t size, void *owner)
{
    (void)size;
    char name[PATH_MAX]; /* maps has no symbolic links */
    if (realpath(
            info->dlpi_name[0] != 0 ? info->dlpi_name : "/proc/self/exe",
            name) == NULL)
        return 0; /* the vDSO */
    char line[1024], flags[5], path[512];
    unsigned *checked = owner;
    struct prof_image *image = open_image(name);
    FILE *maps = fopen("/proc/self/maps", "re");
    CHECK(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL) {
        uint64_t start, end, offset, bias;
        if (sscanf(
                line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*s %511s",
                &start, &end, flags, &offset, path) != 5 ||
            flags[2] != 'x' || strcmp(path, name) != 0)
            continue;
        CHECK(prof_image_bias(image, start, offset, &bias));
        CHECK(bias == info->dlpi_addr);
        (*checked)++;
    }
    (void)fclose(maps);
    prof_image_close(image);
    return 0;
}

TEST(the_bias_follows_from_a_mapping)
{
    unsigned checked = 0;
    (void)dl_iterate_phdr(check_bias, &checked);
    CHECK(checked >= 2);
}

TEST(a_table_of_rows_knows_gaps_and_its_own_size)
{
    struct prof_text text;
    struct prof_image *image = open_image("/proc/self/exe");
    CHECK_OK(prof_image_build_rows(image, NULL));
    CHECK(prof_image_texts(image, 0x70000000, &text, 1) == 1);
    const struct prof_row_table *table = text.rows;
    struct prof_stretch stretch;
    CHECK(table == prof_image_rows(image));
    CHECK_EQ(
        prof_row_table_bytes(table), 24 + 4 * (uint64_t)table->granule_count +
                                         4 * (uint64_t)table->row_count);
    CHECK_EQ(
        prof_row_kind(prof_row_table_find(table, table->start - 1, &stretch)),
        PROF_ROW_FULL);
    uint64_t behind = table->start +
                      ((uint64_t)table->granule_count << PROF_ROW_GRANULE_BITS);
    CHECK_EQ(
        prof_row_kind(prof_row_table_find(table, behind, &stretch)),
        PROF_ROW_FULL);
    CHECK_EQ(
        prof_row_kind(prof_row_table_find(table, behind - 1, &stretch)),
        PROF_ROW_NONE);
    prof_image_close(image);
}
