/* Which file stood where, and when. */
#include "tests/harness.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/collector/address_space.h"

struct fixture {
    struct prof_profile *profile;
    struct prof_build_ids ids;
    struct prof_address_space space;
};

static struct fixture *make_space(void)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->profile = prof_profile_create();
    prof_build_ids_init(&fixture->ids);
    prof_address_space_init(
        &fixture->space, fixture->profile, &fixture->ids, 0,
        (uint32_t)getpid());
    return fixture;
}

static void drop_space(struct fixture *fixture)
{
    prof_address_space_fini(&fixture->space);
    prof_build_ids_fini(&fixture->ids);
    prof_profile_destroy(fixture->profile);
    free(fixture);
}

static bool scan(struct fixture *fixture, uint64_t now_ns)
{
    char *maps = prof_address_space_read(&fixture->space);
    if (maps == NULL)
        return false;
    prof_address_space_apply(&fixture->space, maps, now_ns);
    free(maps);
    return true;
}

static const char *path_at(struct fixture *fixture, uint64_t pc, uint64_t when)
{
    const struct prof_space_mapping *at =
        prof_address_space_find(&fixture->space, pc, when);
    if (at == NULL)
        return "nothing";
    return prof_profile_text(
        fixture->profile,
        prof_profile_module(fixture->profile, at->module)->path);
}

static void add(
    struct fixture *fixture, uint64_t start, uint64_t end, const char *path)
{
    struct prof_module module = {
        .path = prof_profile_string(fixture->profile, path)};
    prof_address_space_add(&fixture->space, start, end, 0, &module);
}

TEST(space_knows_the_code_of_its_own_process)
{
    struct fixture *fixture = make_space();
    CHECK(scan(fixture, 100));
    const struct prof_space_mapping *at = prof_address_space_find(
        &fixture->space, (uint64_t)(uintptr_t)&make_space, 100);
    CHECK(at != NULL);
    const char *path = path_at(fixture, (uint64_t)(uintptr_t)&make_space, 100);
    CHECK(strstr(path, "test_address_space") != NULL);
    CHECK(strstr(path_at(fixture, (uint64_t)(uintptr_t)&getpid, 100), "libc"));
    /* libc has a build-id on every distribution. */
    at = prof_address_space_find(
        &fixture->space, (uint64_t)(uintptr_t)&getpid, 100);
    CHECK(prof_profile_module(fixture->profile, at->module)->build_id_bytes);
    drop_space(fixture);
}

/* ---- code that was lifted out of its file ---- */

enum { PAGE = 4096, LIFTED_PAGES = 8 };

/* The C library, which has many pages of code, and where in it they begin. */
static int open_library(uint64_t *offset)
{
    struct fixture *fixture = make_space();
    CHECK(scan(fixture, 1));
    uint64_t here = (uint64_t)(uintptr_t)&getpid;
    const struct prof_space_mapping *at =
        prof_address_space_find(&fixture->space, here, 1);
    CHECK(at != NULL);
    *offset = at->offset;
    int fd = open(path_at(fixture, here, 1), O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    drop_space(fixture);
    return fd;
}

/* A page of the file, and behind it memory that can be code, with `copied`
   bytes of the file behind that page. */
static uint8_t *map_page_and_memory(int fd, uint64_t offset, size_t copied)
{
    size_t memory_bytes = (size_t)LIFTED_PAGES * PAGE;
    uint8_t *start = mmap(
        NULL, PAGE + memory_bytes, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(start != MAP_FAILED);
    CHECK(
        mmap(
            start, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd,
            (off_t)offset) == start);
    CHECK_EQ(pread(fd, start + PAGE, copied, (off_t)offset + PAGE), copied);
    CHECK_OK(mprotect(start + PAGE, memory_bytes, PROT_READ | PROT_EXEC));
    return start;
}

static bool is_anonymous(struct fixture *fixture, const uint8_t *pc, uint64_t t)
{
    return strncmp(path_at(fixture, (uintptr_t)pc, t), "anon:", 5) == 0;
}

TEST(space_gives_lifted_code_back_to_its_file)
{
    uint64_t offset;
    int fd = open_library(&offset);
    size_t bytes = (size_t)LIFTED_PAGES * PAGE;
    uint8_t *start = map_page_and_memory(fd, offset, bytes);
    struct fixture *fixture = make_space();
    CHECK(scan(fixture, 100));
    const struct prof_space_mapping *at =
        prof_address_space_find(&fixture->space, (uintptr_t)start + PAGE, 100);
    CHECK(at != NULL);
    CHECK(strstr(path_at(fixture, at->start, 100), "libc"));
    CHECK_EQ(at->offset + ((uintptr_t)start + PAGE - at->start), offset + PAGE);
    drop_space(fixture);
    (void)munmap(start, PAGE + bytes);
    (void)close(fd);
}

TEST(space_knows_lifted_code_by_what_stood_there_before)
{
    uint64_t offset;
    int fd = open_library(&offset);
    size_t bytes = (size_t)LIFTED_PAGES * PAGE;
    uint8_t *start = map_page_and_memory(fd, offset, bytes);
    CHECK(
        mmap(
            start, PAGE + bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED,
            fd, (off_t)offset) == start);
    struct fixture *fixture = make_space();
    CHECK(scan(fixture, 100)); /* the file, from the first page on */
    /* All but two pages of it, of which one is no more. */
    uint8_t *copy = map_page_and_memory(fd, offset, bytes);
    uint8_t *lifted = start + 2 * PAGE;
    size_t lifted_bytes = bytes - PAGE;
    CHECK(
        mremap(
            copy + 2 * PAGE, lifted_bytes, lifted_bytes,
            MREMAP_MAYMOVE | MREMAP_FIXED, lifted) == lifted);
    CHECK_OK(munmap(start + PAGE, PAGE));
    CHECK(scan(fixture, 200));
    CHECK(strstr(path_at(fixture, (uintptr_t)lifted, 200), "libc"));
    CHECK(!is_anonymous(fixture, lifted + lifted_bytes - 1, 200));
    drop_space(fixture);
    (void)munmap(start, PAGE + bytes);
    (void)munmap(copy, 2 * PAGE);
    (void)close(fd);
}

/* Code that a runtime made may stand anywhere, also behind a file. */
TEST(space_takes_no_other_code_for_lifted)
{
    uint64_t offset;
    int fd = open_library(&offset);
    size_t bytes = (size_t)LIFTED_PAGES * PAGE;
    uint8_t *start = map_page_and_memory(fd, offset, PAGE);
    struct fixture *fixture = make_space();
    CHECK(scan(fixture, 100));
    CHECK(is_anonymous(fixture, start + PAGE, 100));
    drop_space(fixture);
    (void)munmap(start, PAGE + bytes);
    (void)close(fd);
}

TEST(space_takes_memory_with_a_name_for_memory)
{
    int fd = memfd_create("doublemapper", MFD_CLOEXEC);
    CHECK_OK(ftruncate(fd, PAGE));
    uint8_t *code = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    struct fixture *fixture = make_space();
    CHECK(scan(fixture, 100));
    CHECK(is_anonymous(fixture, code, 100));
    /* A program may lie there as well. */
    CHECK_EQ(pwrite(fd, "\177ELF", 4, 0), 4);
    CHECK(scan(fixture, 200));
    CHECK_STR(path_at(fixture, (uintptr_t)code, 200), "/memfd:doublemapper");
    drop_space(fixture);
    (void)munmap(code, PAGE);
    (void)close(fd);
}

TEST(space_scanned_twice_changes_nothing)
{
    struct fixture *fixture = make_space();
    CHECK(scan(fixture, 100));
    uint64_t generation = fixture->space.generation;
    uint32_t count = prof_profile_mapping_count(fixture->profile);
    CHECK(scan(fixture, 200));
    CHECK_EQ(fixture->space.generation, generation);
    CHECK_EQ(prof_profile_mapping_count(fixture->profile), count);
    drop_space(fixture);
}

TEST(space_tells_two_libraries_at_one_address_apart_by_time)
{
    struct fixture *fixture = make_space();
    add(fixture, 0x1000, 0x2000, "/lib/a.so");
    prof_address_space_remove(&fixture->space, 0x1000, 0x2000, 50);
    add(fixture, 0x1000, 0x3000, "/lib/b.so");
    CHECK_STR(path_at(fixture, 0x1800, 49), "/lib/a.so");
    CHECK_STR(path_at(fixture, 0x1800, 50), "/lib/b.so");
    CHECK_STR(path_at(fixture, 0x2800, 60), "/lib/b.so");
    CHECK_STR(path_at(fixture, 0x3000, 60), "nothing");
    CHECK_STR(path_at(fixture, 0xfff, 60), "nothing");
    drop_space(fixture);
}

TEST(space_keeps_one_row_for_a_library_that_comes_back)
{
    struct fixture *fixture = make_space();
    for (uint64_t i = 0; i < 100; i++) {
        add(fixture, 0x1000, 0x2000, "/lib/a.so");
        prof_address_space_remove(&fixture->space, 0x1000, 0x2000, 10 * i + 5);
        CHECK_STR(path_at(fixture, 0x1000, 10 * i + 6), "nothing");
    }
    CHECK_EQ(prof_profile_mapping_count(fixture->profile), 1);
    /* Not when another one stood there meanwhile. */
    add(fixture, 0x1800, 0x2800, "/lib/b.so");
    prof_address_space_remove(&fixture->space, 0x1800, 0x2800, 2000);
    add(fixture, 0x1000, 0x2000, "/lib/a.so");
    CHECK_EQ(prof_profile_mapping_count(fixture->profile), 3);
    CHECK_STR(path_at(fixture, 0x1900, 1999), "/lib/b.so");
    CHECK_STR(path_at(fixture, 0x1900, 2000), "/lib/a.so");
    drop_space(fixture);
}

TEST(space_ignores_a_module_it_knows_already)
{
    struct fixture *fixture = make_space();
    add(fixture, 0x1000, 0x2000, "/lib/a.so");
    add(fixture, 0x1000, 0x2000, "/somewhere/else/a.so");
    CHECK_STR(path_at(fixture, 0x1000, 10), "/lib/a.so");
    CHECK_EQ(fixture->space.mappings.count, 1);
    drop_space(fixture);
}

TEST(space_of_a_process_that_is_gone_keeps_what_it_knew)
{
    struct fixture *fixture = make_space();
    add(fixture, 0x1000, 0x2000, "/lib/a.so");
    fixture->space.pid = 0x7ffffff0;
    CHECK(!scan(fixture, 100));
    CHECK_STR(path_at(fixture, 0x1000, 100), "/lib/a.so");
    drop_space(fixture);
}
