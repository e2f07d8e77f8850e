/*
 * Tables of rows: made when they are worth it and of the right file only,
 * handed out only to what they describe, read only within their block.
 */
#include "tests/harness.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/collector/slots.h"
#include "profiler/collector/tables.h"
#include "profiler/unwind/sig_row_store.h"
#include "tests/profiler/ring_fixture.h"

/* Two modules: this program, and the same with a build-id that is wrong. */
struct scene {
    struct prof_profile *profile;
    struct prof_build_ids build_ids;
    struct prof_address_space space;
    struct prof_tables *tables;
    struct prof_space_mapping right, wrong;
    uint64_t identity;
};

enum { TEXT_BYTES = 1 << 20 };

static uint32_t add_module(struct scene *scene, uint8_t wrong_by)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct prof_build_id id = {.bytes = 0};
    prof_build_id_read(fd, &id);
    close(fd);
    CHECK(length > 0 && id.bytes >= sizeof scene->identity);
    struct prof_module module = {
        .kind = PROF_MODULE_FILE,
        .path = prof_profile_string_n(scene->profile, path, (size_t)length),
        .build_id_bytes = (uint8_t)id.bytes};
    memcpy(module.build_id, id.id, id.bytes);
    memcpy(&scene->identity, id.id, sizeof scene->identity);
    module.build_id[id.bytes - 1] ^= wrong_by;
    uint64_t start = wrong_by ? 0x200000 : 0x400000;
    prof_address_space_add(
        &scene->space, start, start + TEXT_BYTES, 0, &module);
    return prof_profile_add_module(scene->profile, &module);
}

static struct scene *make_scene(void)
{
    struct scene *scene = calloc(1, sizeof *scene);
    scene->profile = prof_profile_create();
    prof_build_ids_init(&scene->build_ids);
    prof_address_space_init(
        &scene->space, scene->profile, &scene->build_ids, 0,
        (uint32_t)getpid());
    scene->tables = prof_tables_create(scene->profile);
    CHECK(scene->tables != NULL);
    scene->wrong = (struct prof_space_mapping){
        .start = 0x200000,
        .end = 0x200000 + TEXT_BYTES,
        .module = add_module(scene, 1)};
    scene->right = (struct prof_space_mapping){
        .start = 0x400000,
        .end = 0x400000 + TEXT_BYTES,
        .module = add_module(scene, 0)};
    return scene;
}

static void drop_scene(struct scene *scene)
{
    prof_tables_destroy(scene->tables);
    prof_address_space_fini(&scene->space);
    prof_build_ids_fini(&scene->build_ids);
    prof_profile_destroy(scene->profile);
    free(scene);
}

static void count(
    struct scene *scene, const struct prof_space_mapping *mapping,
    uint64_t samples)
{
    prof_tables_count(
        scene->tables, (uint32_t)getpid(), mapping, (uint32_t)samples);
}

static uint64_t wait_for_table(const struct scene *scene)
{
    for (int i = 0; i < 60000 && prof_tables_made(scene->tables) == 0; i++)
        usleep(1000);
    return prof_tables_place(scene->tables, scene->right.module);
}

TEST(tables_are_made_when_samples_have_paid_for_them)
{
    struct scene *scene = make_scene();
    uint64_t worth = prof_tables_worth(TEXT_BYTES);
    CHECK(worth > 100);
    count(scene, &scene->right, worth - 1);
    usleep(20000);
    CHECK_EQ(prof_tables_place(scene->tables, scene->right.module), 0);
    count(scene, &scene->right, 1);
    CHECK(wait_for_table(scene) != 0);
    drop_scene(scene);
}

TEST(tables_are_not_made_of_another_file)
{
    struct scene *scene = make_scene();
    uint64_t worth = prof_tables_worth(TEXT_BYTES);
    count(scene, &scene->wrong, worth);
    count(scene, &scene->right, worth);
    /* One after the other: where the second is done, the first was. */
    CHECK(wait_for_table(scene) != 0);
    CHECK_EQ(prof_tables_place(scene->tables, scene->wrong.module), 0);
    CHECK_EQ(prof_tables_made(scene->tables), 1);
    drop_scene(scene);
}

TEST(tables_can_be_read_by_others_not_written)
{
    struct scene *scene = make_scene();
    count(scene, &scene->right, prof_tables_worth(TEXT_BYTES));
    const _Atomic uint64_t place = wait_for_table(scene);
    int fd = prof_tables_fd(scene->tables);
    CHECK(
        mmap(
            NULL, WIRE_TABLES_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
            0) == MAP_FAILED);
    CHECK(pwrite(fd, "x", 1, 64) < 0);
    CHECK(ftruncate(fd, 0) < 0);
    void *map = mmap(NULL, WIRE_TABLES_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED);

    struct prof_row_store store = {
        .bytes = map,
        .size_bytes = WIRE_TABLES_BYTES,
        .places = &place,
        .slot_count = 1};
    const struct prof_row_table *table = prof_row_store_find(&store, 1);
    CHECK(table != NULL);
    CHECK_EQ(table->magic, PROF_ROW_TABLE_MAGIC);
    CHECK(table->row_count > 10);
    munmap(map, WIRE_TABLES_BYTES);
    drop_scene(scene);
}

TEST(row_store_reads_nothing_outside_its_block)
{
    struct {
        struct prof_row_table table;
        uint32_t words[58];
    } block[2] = {{.table = {.granule_count = 1, .row_count = 1}}};
    _Static_assert(sizeof block[0] % PROF_ROW_STORE_ALIGN == 0, "aligned");
    _Atomic uint64_t places[] = {0,  sizeof block[0], sizeof block[0] + 1,
                                 64, sizeof block,    UINT64_MAX - 63};
    struct prof_row_store store = {
        .bytes = (const uint8_t *)block,
        .size_bytes = sizeof block,
        .places = places,
        .slot_count = 6};
    CHECK(prof_row_store_find(&store, 0) == NULL);
    CHECK(prof_row_store_find(&store, 1) == NULL);
    CHECK(prof_row_store_find(&store, 2) == &block[1].table);
    CHECK(prof_row_store_find(&store, 3) == NULL);
    for (uint32_t slot = 5; slot < 8; slot++)
        CHECK(prof_row_store_find(&store, slot) == NULL);
    /* It fits, or it is by one word too long. */
    block[1].table.row_count = 58;
    CHECK(prof_row_store_find(&store, 2) == &block[1].table);
    block[1].table.row_count = 59;
    CHECK(prof_row_store_find(&store, 2) == NULL);
    block[1].table.granule_count = UINT32_MAX;
    CHECK(prof_row_store_find(&store, 2) == NULL);
}

TEST(slots_give_a_table_only_to_what_it_describes)
{
    struct scene *scene = make_scene();
    struct ring_pair *pair = make_ring();
    struct wire_ring *ring = &pair->writer;
    struct prof_slots slots;
    prof_slots_init(&slots);

    const struct wire_slot_module posts[] = {
        {.start = 0x400000, .identity = scene->identity},
        {.start = 0x400000, .identity = scene->identity + 1},
        {.start = 0x900000, .identity = scene->identity},
        {.start = 0x400080, .identity = scene->identity}};
    memcpy(ring->slots->modules, posts, sizeof posts);
    atomic_store(&ring->header->slot_count, 3);
    prof_slots_serve(&slots, ring, &scene->space, scene->tables);
    CHECK_EQ(ring->slots->places[0], 0);

    count(scene, &scene->right, prof_tables_worth(TEXT_BYTES));
    uint64_t place = wait_for_table(scene);
    prof_slots_serve(&slots, ring, &scene->space, scene->tables);
    CHECK_EQ(ring->slots->places[0], place);
    CHECK_EQ(ring->slots->places[1], 0);
    CHECK_EQ(ring->slots->places[2], 0);

    /* One posted later gets it at once; a count beyond all bounds is cut. */
    atomic_store(&ring->header->slot_count, UINT32_MAX);
    prof_slots_serve(&slots, ring, &scene->space, scene->tables);
    CHECK_EQ(ring->slots->places[3], place);
    CHECK_EQ(slots.seen, WIRE_SLOT_COUNT);

    prof_slots_fini(&slots);
    drop_ring(pair);
    drop_scene(scene);
}
