/* Symbols for the native frames of a profile. */
#include "tests/harness.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/symbolizer/fixture.h"
#include "tools/symbolize_profile.h"

struct scene {
    struct prof_profile *profile;
    struct sym_symbolizer *symbolizer;
    struct symbolize_help help;
    uint32_t module, thread;
};

static struct scene scene_of(const char *fixture)
{
    struct scene scene = {
        .profile = prof_profile_create(),
        .symbolizer = fixture_symbolizer(NULL)};
    struct prof_module module = {
        .kind = PROF_MODULE_FILE,
        .path = prof_profile_string(scene.profile, fixture_path(fixture))};
    scene.module = prof_profile_add_module(scene.profile, &module);
    scene.thread =
        prof_profile_add_thread(scene.profile, &(struct prof_thread){0});
    return scene;
}

static void destroy(struct scene *scene)
{
    sym_symbolizer_destroy(scene->symbolizer);
    prof_profile_destroy(scene->profile);
}

static uint32_t add_symbol(
    struct scene *scene, const char *fixture, const char *symbol)
{
    uint64_t vaddr = fixture_symbol(fixture, symbol);
    return prof_profile_add_native_frame(
        scene->profile, scene->module, fixture_offset(fixture, vaddr));
}

static void symbolize(struct scene *scene)
{
    CHECK_OK(symbolize_profile(
        scene->profile, scene->symbolizer, &scene->help, NULL));
}

static const char *label(const struct scene *scene, uint32_t frame, uint32_t i)
{
    static char buffer[64];
    return prof_profile_frame_label(
        scene->profile, frame, i, buffer, sizeof buffer);
}

TEST(frames_get_their_inlined_lines)
{
    struct scene scene = scene_of("inline_gcc_moved");
    uint32_t frame = add_symbol(&scene, "inline_gcc_moved", "at_10");
    symbolize(&scene);
    CHECK_EQ(prof_profile_frame_depth(scene.profile, frame), 3);
    CHECK_STR(label(&scene, frame, 0), "leaf");
    CHECK_STR(label(&scene, frame, 1), "middle");
    CHECK_STR(label(&scene, frame, 2), "outer");
    const struct prof_line *line = prof_profile_line(
        scene.profile, prof_profile_frame(scene.profile, frame)->first_line);
    CHECK(line[0].is_inlined && line[1].is_inlined && !line[2].is_inlined);
    CHECK_EQ(line[2].line, fixture_line("inline.c", "middle in outer"));
    CHECK(
        strstr(prof_profile_text(scene.profile, line[2].file), "inline.c") !=
        NULL);
    CHECK_EQ(prof_profile_loss(scene.profile, PROF_LOSS_NO_SYMBOL), 0);
    destroy(&scene);
}

TEST(code_made_in_memory_has_the_name_its_runtime_wrote_down)
{
    char path[64], module_name[32];
    (void)snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
    (void)unlink(path); /* of one that had our number, and left it behind */
    FILE *map = fopen(path, "wx");
    CHECK(map != NULL);
    (void)fputs("7f0010000000 40 compiled function\n", map);
    (void)fclose(map);

    struct scene scene = scene_of("inline_gcc_moved");
    (void)snprintf(module_name, sizeof module_name, "anon:%d", (int)getpid());
    struct prof_module memory = {
        .kind = PROF_MODULE_ANONYMOUS,
        .path = prof_profile_string(scene.profile, module_name)};
    uint32_t module = prof_profile_add_module(scene.profile, &memory);
    uint32_t known = prof_profile_add_native_frame(
        scene.profile, module, UINT64_C(0x7f001000003f));
    uint32_t unknown = prof_profile_add_native_frame(
        scene.profile, module, UINT64_C(0x7f0010000040));
    symbolize(&scene);
    (void)unlink(path);
    CHECK_STR(label(&scene, known, 0), "compiled function");
    CHECK(strstr(label(&scene, unknown, 0), "+0x7f0010000040") != NULL);
    CHECK_EQ(prof_profile_loss(scene.profile, PROF_LOSS_NO_SYMBOL), 1);
    destroy(&scene);
}

/* All code of a stripped function has one name, and counts as unknown. */
TEST(frames_without_a_symbol_are_named_by_the_start_of_their_function)
{
    struct scene scene = scene_of("stripped");
    uint64_t start = fixture_symbol("inline_gcc_dwarf5", "outer");
    uint64_t size = fixture_symbol_size("inline_gcc_dwarf5", "outer");
    uint64_t offset = fixture_offset("inline_gcc_dwarf5", start);
    CHECK(size > 1);
    for (uint64_t i = 0; i < size; i++)
        CHECK(
            prof_profile_add_native_frame(
                scene.profile, scene.module, offset + i) == i);
    symbolize(&scene);
    char wanted[64];
    (void)snprintf(wanted, sizeof wanted, "[stripped+0x%" PRIx64 "]", start);
    for (uint32_t frame = 0; frame < size; frame++) {
        CHECK_EQ(prof_profile_frame(scene.profile, frame)->line_count, 1);
        CHECK_STR(label(&scene, frame, 0), wanted);
    }
    CHECK_EQ(prof_profile_loss(scene.profile, PROF_LOSS_NO_SYMBOL), size);
    destroy(&scene);
}

/* The code of .init has no FDE. */
TEST(frames_outside_of_any_function_keep_their_address)
{
    struct scene scene = scene_of("stripped");
    uint64_t vaddr = fixture_symbol("inline_gcc_dwarf5", "_init") + 1;
    uint32_t frame = prof_profile_add_native_frame(
        scene.profile, scene.module,
        fixture_offset("inline_gcc_dwarf5", vaddr));
    symbolize(&scene);
    char wanted[64];
    (void)snprintf(wanted, sizeof wanted, "[stripped+0x%" PRIx64 "]", vaddr);
    CHECK_STR(label(&scene, frame, 0), wanted);
    CHECK_EQ(prof_profile_loss(scene.profile, PROF_LOSS_NO_SYMBOL), 1);
    destroy(&scene);
}

static char remarks[2000];

static void take_remark(const char *text)
{
    size_t used = strlen(remarks);
    (void)snprintf(remarks + used, sizeof remarks - used, "%s\n", text);
}

TEST(frames_of_a_file_that_cannot_be_used_keep_their_offset)
{
    struct scene scene = scene_of("no such file");
    uint32_t missing =
        prof_profile_add_native_frame(scene.profile, scene.module, 0x1234);
    struct prof_module other_build = {
        .kind = PROF_MODULE_FILE,
        .path = prof_profile_string(
            scene.profile, fixture_path("inline_gcc_moved")),
        .build_id_bytes = 20};
    struct prof_module jit = {
        .kind = PROF_MODULE_ANONYMOUS,
        .path = prof_profile_string(scene.profile, "node/7")};
    uint32_t wrong = prof_profile_add_native_frame(
        scene.profile, prof_profile_add_module(scene.profile, &other_build),
        0x1000);
    uint32_t code = prof_profile_add_native_frame(
        scene.profile, prof_profile_add_module(scene.profile, &jit), 0x7f00);
    scene.help.remark = take_remark;
    remarks[0] = '\0';
    symbolize(&scene);
    CHECK(strstr(remarks, "no such file': No such file") != NULL);
    CHECK(strstr(remarks, "inline_gcc_moved' is another build") != NULL);
    CHECK_STR(label(&scene, missing, 0), "[no such file+0x1234]");
    CHECK_STR(label(&scene, wrong, 0), "[inline_gcc_moved+0x1000]");
    CHECK_STR(label(&scene, code, 0), "[7+0x7f00]");
    CHECK_EQ(prof_profile_loss(scene.profile, PROF_LOSS_NO_SYMBOL), 3);
    destroy(&scene);
}

TEST(remarks_on_many_modules_are_a_few)
{
    struct scene scene = scene_of("no such file");
    for (int i = 0; i < 20; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "/no/such/file/%d", i);
        struct prof_module module = {
            .kind = PROF_MODULE_FILE,
            .path = prof_profile_string(scene.profile, path)};
        (void)prof_profile_add_native_frame(
            scene.profile, prof_profile_add_module(scene.profile, &module), 1);
    }
    scene.help.remark = take_remark;
    remarks[0] = '\0';
    symbolize(&scene);
    size_t lines = 0;
    for (const char *at = remarks; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    CHECK_EQ(lines, 5);
    CHECK(strstr(remarks, "more modules") != NULL);
    destroy(&scene);
}

/* Neither by its name nor below the root of a process is there such a file. */
TEST(frames_of_a_file_that_is_gone_come_from_its_copy)
{
    struct scene scene = scene_of("no such file");
    uint32_t frame = add_symbol(&scene, "inline_gcc_dwarf5", "at_10");
    struct prof_kept_files kept;
    prof_kept_files_init(&kept);
    char maps[5000];
    struct prof_maps_line line;
    (void)snprintf(
        maps, sizeof maps, "1000-2000 r-xp 0 0:0 0 %s",
        fixture_path("inline_gcc_dwarf5"));
    CHECK(prof_maps_parse(maps, &line));
    struct stat identity;
    CHECK_OK(stat(line.path, &identity));
    line.device = identity.st_dev;
    line.inode = identity.st_ino;
    prof_kept_files_consider(
        &kept, scene.module, false, (uint32_t)getpid(), &line, line.path);
    scene.help.kept = &kept;
    symbolize(&scene);
    CHECK_STR(label(&scene, frame, 0), "leaf");
    prof_kept_files_fini(&kept);
    destroy(&scene);
}

/* "_text" of the kernel that runs; 0: it does not tell. */
static uint64_t kernel_text(void)
{
    char line[512];
    uint64_t vaddr = 0, found = 0;
    FILE *list = fopen("/proc/kallsyms", "re");
    while (list != NULL && fgets(line, sizeof line, list) != NULL) {
        char name[400];
        if (sscanf(line, "%" SCNx64 " %*c %399s", &vaddr, name) == 2 &&
            strcmp(name, "_text") == 0)
            found = vaddr;
    }
    if (list != NULL)
        (void)fclose(list);
    return found;
}

TEST(frames_of_a_kernel_that_was_elsewhere_keep_their_addresses)
{
    uint64_t text = kernel_text();
    if (text == 0)
        skip();
    for (uint64_t moved = 0; moved < 2; moved++) {
        struct scene scene = scene_of("no such file");
        struct prof_module kernel = {
            .kind = PROF_MODULE_KERNEL,
            .path = prof_profile_string(scene.profile, "[kernel.kallsyms]")};
        uint32_t frame = prof_profile_add_native_frame(
            scene.profile, prof_profile_add_module(scene.profile, &kernel),
            text);
        prof_profile_origin(scene.profile)->kernel_symbol_vaddr =
            text + moved * 0x200001;
        scene.help.remark = take_remark;
        remarks[0] = '\0';
        symbolize(&scene);
        CHECK_EQ(label(&scene, frame, 0)[0] == '[', moved);
        CHECK_EQ(strstr(remarks, "not where it was") != NULL, moved);
        destroy(&scene);
    }
}

/* A process that sees the fixtures' folder as its root, until `gate` closes. */
static pid_t start_in_fixtures(int gate[2])
{
    int ready[2];
    char byte = 0;
    CHECK_OK(pipe(gate));
    CHECK_OK(pipe(ready));
    pid_t pid = fork();
    if (pid == 0) {
        close(gate[1]);
        if (chroot(fixture_path("")) != 0)
            _exit(1);
        (void)!write(ready[1], &byte, 1);
        (void)!read(gate[0], &byte, 1);
        _exit(0);
    }
    close(ready[1]);
    close(gate[0]);
    bool is_there = read(ready[0], &byte, 1) == 1;
    close(ready[0]);
    if (is_there)
        return pid;
    close(gate[1]);
    (void)waitpid(pid, NULL, 0);
    return 0;
}

TEST(frames_of_a_process_with_another_root_are_found_there)
{
    int gate[2];
    pid_t pid = start_in_fixtures(gate);
    if (pid == 0)
        skip(); /* chroot needs privilege */
    struct scene scene = scene_of("stripped");
    struct prof_process process = {.pid = (uint32_t)pid};
    struct prof_module module = {
        .kind = PROF_MODULE_FILE,
        .path = prof_profile_string(scene.profile, "/inline_gcc_moved")};
    struct sym_module *same =
        fixture_open(scene.symbolizer, "inline_gcc_moved");
    const uint8_t *build_id;
    module.build_id_bytes = (uint8_t)sym_module_build_id(same, &build_id);
    memcpy(module.build_id, build_id, module.build_id_bytes);
    scene.module = prof_profile_add_module(scene.profile, &module);
    struct prof_mapping mapping = {
        .process = prof_profile_add_process(scene.profile, &process),
        .module = scene.module};
    CHECK(prof_profile_add_mapping(scene.profile, &mapping) != PROF_NONE);
    uint32_t frame = add_symbol(&scene, "inline_gcc_moved", "at_10");
    symbolize(&scene);
    close(gate[1]);
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    CHECK_STR(label(&scene, frame, 0), "leaf");
    destroy(&scene);
}

TEST(unknown_frames_count_once_for_every_sample_that_holds_them)
{
    struct scene scene = scene_of("stripped");
    uint32_t unknown =
        prof_profile_add_native_frame(scene.profile, scene.module, 0x1100);
    uint32_t named =
        prof_profile_add_named_frame(scene.profile, PROF_FRAME_NAMED, "f");
    uint32_t root = prof_profile_add_stack(scene.profile, PROF_NONE, unknown);
    uint32_t leaf = prof_profile_add_stack(scene.profile, root, named);
    uint32_t twice = prof_profile_add_stack(scene.profile, leaf, unknown);
    const uint32_t stacks[] = {root, leaf, leaf, twice, PROF_NONE};
    for (size_t i = 0; i < sizeof stacks / sizeof stacks[0]; i++) {
        struct prof_sample sample = {
            .thread = scene.thread, .stack = stacks[i]};
        CHECK(prof_profile_add_sample(scene.profile, &sample) != PROF_NONE);
    }
    symbolize(&scene);
    CHECK_EQ(prof_profile_loss(scene.profile, PROF_LOSS_NO_SYMBOL), 5);

    symbolize(&scene); /* nothing new: nothing counted twice */
    CHECK_EQ(prof_profile_loss(scene.profile, PROF_LOSS_NO_SYMBOL), 5);
    destroy(&scene);
}

TEST(frames_that_have_lines_are_left_alone)
{
    struct scene scene = scene_of("inline_gcc_moved");
    uint32_t frame = add_symbol(&scene, "inline_gcc_moved", "at_10");
    struct prof_line line = {
        .function = prof_profile_string(scene.profile, "from elsewhere")};
    prof_profile_set_lines(scene.profile, frame, &line, 1);
    symbolize(&scene);
    CHECK_STR(label(&scene, frame, 0), "from elsewhere");
    destroy(&scene);
}

TEST(a_profile_without_native_frames_is_left_alone)
{
    struct scene scene = scene_of("stripped");
    uint32_t frame =
        prof_profile_add_named_frame(scene.profile, PROF_FRAME_NAMED, "f");
    symbolize(&scene);
    CHECK_EQ(prof_profile_frame(scene.profile, frame)->line_count, 0);
    CHECK_EQ(prof_profile_loss(scene.profile, PROF_LOSS_NO_SYMBOL), 0);
    destroy(&scene);
}
