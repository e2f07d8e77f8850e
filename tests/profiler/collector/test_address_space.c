/* Which file stood where, and when. */
#include "tests/harness.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
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
