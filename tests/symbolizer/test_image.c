/* ELF headers: segments, identity, and files that are not what they seem. */
#include "tests/harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbolizer/image_open.h"
#include "tests/symbolizer/fixture.h"

/* An ELF file of headers only. */
struct headers {
    Elf64_Ehdr file;
    Elf64_Phdr segments[3];
};

static struct headers headers_of(const Elf64_Phdr *segments)
{
    struct headers headers = {
        .file = {
            .e_ident =
                {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
                 EV_CURRENT},
            .e_type = ET_DYN,
            .e_machine = EM_X86_64,
            .e_version = EV_CURRENT,
            .e_phoff = sizeof(Elf64_Ehdr),
            .e_ehsize = sizeof(Elf64_Ehdr),
            .e_phentsize = sizeof(Elf64_Phdr),
            .e_phnum = 3}};
    memcpy(headers.segments, segments, sizeof headers.segments);
    return headers;
}

static uint64_t vaddr_of(const struct headers *headers, uint64_t offset)
{
    struct sym_image image;
    CHECK_OK(
        sym_image_open_memory(&image, "test", headers, sizeof *headers, NULL));
    uint64_t vaddr = UINT64_MAX;
    (void)sym_image_vaddr(&image, offset, &vaddr);
    sym_image_close(&image);
    return vaddr;
}

/* Data whose zeroed tail lies over the file offsets of the text after it. */
static const Elf64_Phdr trap[3] = {
    {.p_type = PT_LOAD,
     .p_flags = PF_R | PF_W,
     .p_offset = 0,
     .p_vaddr = 0x100000,
     .p_filesz = 0x1000,
     .p_memsz = 0x9000},
    {.p_type = PT_LOAD,
     .p_flags = PF_R | PF_X,
     .p_offset = 0x1800,
     .p_vaddr = 0x201800,
     .p_filesz = 0x1000,
     .p_memsz = 0x1000},
    {.p_type = PT_NOTE,
     .p_flags = PF_R,
     .p_offset = 0x4000,
     .p_vaddr = 0x4000,
     .p_filesz = 0x1000,
     .p_memsz = 0x1000}};

TEST(segments_are_chosen_by_their_size_in_the_file)
{
    struct headers headers = headers_of(trap);
    CHECK_EQ(vaddr_of(&headers, 0x1900), 0x201900);
    CHECK_EQ(vaddr_of(&headers, 0x800), 0x100800);
}

TEST(segments_that_are_not_loaded_hold_no_addresses)
{
    struct headers headers = headers_of(trap);
    CHECK_EQ(vaddr_of(&headers, 0x4800), UINT64_MAX);
    CHECK_EQ(vaddr_of(&headers, 0x1400), UINT64_MAX);
}

TEST(segments_with_code_win_over_others_that_hold_the_same_page)
{
    Elf64_Phdr segments[3];
    memcpy(segments, trap, sizeof segments);
    segments[0].p_filesz = 0x3000;
    struct headers headers = headers_of(segments);
    CHECK_EQ(vaddr_of(&headers, 0x1900), 0x201900);
    CHECK_EQ(vaddr_of(&headers, 0x1700), 0x101700);
}

TEST(segments_at_the_end_of_the_address_space_do_not_wrap)
{
    Elf64_Phdr segments[3];
    memcpy(segments, trap, sizeof segments);
    segments[1].p_offset = UINT64_MAX - 0x10;
    segments[1].p_filesz = 0x100;
    struct headers headers = headers_of(segments);
    CHECK_EQ(vaddr_of(&headers, 8), 0x100008);
}

/* ---- what is no ELF file ---- */

static void check_open(const char *path, enum status wanted, const char *reason)
{
    struct sym_image image;
    struct diag diag = {0};
    CHECK_EQ(sym_image_open(&image, path, &diag), wanted);
    CHECK(strstr(diag.text, reason) != NULL);
    sym_image_close(&image);
}

static void write_file(const char *path, const void *bytes, size_t count)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    CHECK_EQ(fwrite(bytes, 1, count, file), count);
    CHECK_OK(fclose(file));
}

TEST(files_that_are_no_elf_say_so)
{
    char path[] = "/tmp/watchfire-image-XXXXXX";
    close(mkstemp(path));
    check_open("/nonexistent/file", STATUS_SYSTEM, "No such file");
    check_open(path, STATUS_MALFORMED, "is empty");
    write_file(path, "#!/bin/sh\n", 10);
    check_open(path, STATUS_MALFORMED, "not an ELF");
    struct headers headers = headers_of(trap);
    headers.file.e_ident[EI_DATA] = ELFDATA2MSB;
    write_file(path, &headers, sizeof headers);
    check_open(path, STATUS_UNSUPPORTED, "byte order");
    unlink(path);
    CHECK_OK(mkfifo(path, 0600));
    check_open(path, STATUS_UNSUPPORTED, "not a regular file");
    unlink(path);
}

TEST(files_that_others_may_change_are_read_not_mapped)
{
    char path[] = "/tmp/watchfire-image-XXXXXX";
    close(mkstemp(path));
    struct headers headers = headers_of(trap);
    write_file(path, &headers, sizeof headers);
    struct sym_image image;
    CHECK_OK(sym_image_open(&image, path, NULL));
    CHECK(image.is_mapped);
    sym_image_close(&image);
    CHECK_OK(chmod(path, 0666));
    CHECK_OK(sym_image_open(&image, path, NULL));
    CHECK(!image.is_mapped);
    CHECK_EQ(image.bytes_count, sizeof headers);
    sym_image_close(&image);
    unlink(path);
}

TEST(an_image_knows_its_build_id)
{
    struct sym_image image, stripped, other;
    CHECK_OK(sym_image_open(&image, fixture_path("shapes"), NULL));
    CHECK_EQ(image.build_id_bytes, 20);
    CHECK(sym_image_has_build_id(&image, image.build_id, 20));
    CHECK(!sym_image_has_build_id(&image, image.build_id, 19));
    CHECK(!sym_image_has_build_id(&image, image.build_id, 0));
    CHECK_OK(sym_image_open(&stripped, fixture_path("stripped"), NULL));
    CHECK(!sym_image_has_build_id(&image, stripped.build_id, 20));
    CHECK_OK(sym_image_open(&other, fixture_path("no_id"), NULL));
    CHECK_EQ(other.build_id_bytes, 0);
    sym_image_close(&image);
    sym_image_close(&stripped);
    sym_image_close(&other);
}
