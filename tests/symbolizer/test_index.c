/*
 * An index by its bytes: what goes in comes out, and whatever happens to a
 * byte of it, no wrong answer follows.
 */
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "symbolizer/index.h"
#include "symbolizer/index_save.h"
#include "symbolizer/index_writer.h"

#define BASE UINT64_C(0x401000)
#define KEY  UINT64_C(0x1234)

enum {
    FUNCTIONS = 300,
    FUNCTION_BYTES = 64,
    CODE = FUNCTIONS * FUNCTION_BYTES
};

/* A file of an index in memory, and its bytes. */
struct file {
    int fd;
    uint8_t *bytes;
    size_t count;
};

static uint32_t add_text(struct sym_strings *strings, const char *text)
{
    uint32_t id = sym_strings_add(strings, text, strlen(text));
    CHECK(id != SYM_NO_STRING);
    return id;
}

/* Long enough for the text to fill several blocks. */
static uint32_t function_name(struct sym_strings *strings, int number)
{
    char name[256];
    (void)snprintf(name, sizeof name, "function_%d_", number);
    size_t used = strlen(name);
    for (; used < 200; used++)
        name[used] = (char)('a' + (number * (int)used) % 23);
    name[used] = '\0';
    return add_text(strings, name);
}

/* Each function calls `inner` in its second quarter, has unknown lines in its
   third and belongs to nobody in its last one. */
static void describe(
    struct sym_index_writer *writer, struct sym_strings *strings)
{
    uint32_t inner = add_text(strings, "inner"),
             file = add_text(strings, "a.c");
    for (int i = 0; i < FUNCTIONS; i++) {
        uint64_t start = BASE + (uint64_t)i * FUNCTION_BYTES;
        uint32_t body =
            sym_index_writer_body(writer, function_name(strings, i), start);
        struct sym_index_source line = {
            .file = file, .line = 1000 + (uint32_t)i, .column = 7};
        struct sym_index_source inside = {
            .file = file, .line = 5, .column = 6, .discriminator = 9};
        uint32_t call = sym_index_writer_source(writer, line);
        uint32_t inlined = sym_index_writer_inlined(writer, inner, body, call);
        sym_index_writer_answer(writer, start, body, call);
        sym_index_writer_answer(
            writer, start + 16, inlined,
            sym_index_writer_source(writer, inside));
        sym_index_writer_answer(writer, start + 32, body, 0);
        sym_index_writer_answer(writer, start + 48, SYM_INDEX_NONE, 0);
    }
}

static struct file make_file(void)
{
    struct file file = {.fd = memfd_create("index", MFD_CLOEXEC)};
    struct sym_strings strings;
    struct sym_index_writer writer;
    CHECK(file.fd >= 0);
    CHECK(sym_strings_init(&strings));
    sym_index_writer_init(&writer, &strings, BASE);
    describe(&writer, &strings);
    CHECK_OK(sym_index_save(&writer, file.fd, KEY, NULL));
    sym_index_writer_fini(&writer);
    sym_strings_fini(&strings);
    file.count = (size_t)lseek(file.fd, 0, SEEK_END);
    file.bytes = malloc(file.count);
    assert_non_null(file.bytes);
    CHECK_EQ(pread(file.fd, file.bytes, file.count, 0), file.count);
    return file;
}

static void drop_file(struct file *file)
{
    (void)close(file->fd);
    free(file->bytes);
}

/* One line for what runs at `vaddr`. */
static void tell(
    struct sym_index *index, uint64_t vaddr, char *line, size_t bytes)
{
    struct sym_index_walk walk = sym_index_find(index, vaddr);
    struct sym_index_frame frame;
    size_t used = 0;
    line[0] = '\0';
    while (sym_index_walk_next(index, &walk, &frame) && used < bytes) {
        const struct sym_index_source *source = &frame.source;
        used += (size_t)snprintf(
            line + used, bytes - used, "%.20s ",
            sym_index_string(index, frame.name));
        if (used >= bytes)
            break;
        used += (size_t)snprintf(
            line + used, bytes - used, "%.20s:%u:%u:%u%s ",
            sym_index_string(index, source->file), source->line, source->column,
            source->discriminator, frame.is_inlined ? " in" : "");
    }
    if (used < bytes)
        (void)snprintf(
            line + used, bytes - used, "+%lld",
            (long long)(vaddr - walk.start_vaddr));
}

TEST(what_goes_into_an_index_comes_out)
{
    struct file file = make_file();
    struct sym_index index;
    char line[512];
    CHECK_OK(sym_index_open(&index, file.fd, KEY, NULL));
    CHECK(index.at.block_count > 2);
    tell(&index, BASE + 64 * 7 + 3, line, sizeof line);
    CHECK_STR(line, "function_7_ipwgnuels a.c:1007:7:0 +3");
    tell(&index, BASE + 64 * 7 + 20, line, sizeof line);
    CHECK_STR(line, "inner a.c:5:6:9 in function_7_ipwgnuels a.c:1007:7:0 +20");
    tell(&index, BASE + 64 * 7 + 47, line, sizeof line);
    CHECK_STR(line, "function_7_ipwgnuels :0:0:0 +47");
    tell(&index, BASE + 64 * 7 + 48, line, sizeof line);
    CHECK_STR(line, "+0");
    static const uint64_t outside[] = {
        0, BASE - 1, BASE + CODE, BASE + (UINT64_C(1) << 32), UINT64_MAX};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        tell(&index, outside[i], line, sizeof line);
        CHECK_STR(line, "+0");
    }
    CHECK(!index.is_damaged);
    sym_index_close(&index);
    drop_file(&file);
}

/* From now on this process maps no file. */
static bool forbid_mapping(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_mmap, 0, 3),
        BPF_STMT(
            BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[4])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xffffffff, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENODEV),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {
        .len = sizeof rules / sizeof rules[0], .filter = rules};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST(an_index_on_a_file_system_without_mmap_is_read)
{
    struct file file = make_file();
    int fd = file.fd, status;
    pid_t child = fork();
    if (child == 0) {
        struct sym_index index;
        if (!forbid_mapping())
            _exit(2);
        if (mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED)
            _exit(3);
        if (sym_index_open(&index, fd, KEY, NULL) != STATUS_OK)
            _exit(4);
        struct sym_index_walk walk = sym_index_find(&index, BASE);
        struct sym_index_frame frame;
        bool is_found = sym_index_walk_next(&index, &walk, &frame) &&
                        frame.source.line == 1000;
        sym_index_close(&index);
        _exit(is_found ? 0 : 5);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    drop_file(&file);
}

TEST(an_index_keeps_what_answers_share_once)
{
    struct file file = make_file();
    struct sym_index_header header;
    memcpy(&header, file.bytes, sizeof header);
    CHECK_EQ(header.node_count, 2 * FUNCTIONS);
    CHECK_EQ(header.string_count, FUNCTIONS + 3);
    drop_file(&file);
}

TEST(an_empty_index_answers_nothing)
{
    struct sym_strings strings;
    struct sym_index_writer writer;
    struct sym_index index;
    char line[512];
    int fd = memfd_create("index", MFD_CLOEXEC);
    CHECK(sym_strings_init(&strings));
    sym_index_writer_init(&writer, &strings, BASE);
    CHECK_OK(sym_index_save(&writer, fd, KEY, NULL));
    CHECK_OK(sym_index_open(&index, fd, KEY, NULL));
    tell(&index, BASE, line, sizeof line);
    CHECK_STR(line, "+0");
    sym_index_close(&index);
    sym_index_writer_fini(&writer);
    sym_strings_fini(&strings);
    (void)close(fd);
}

TEST(places_4_gib_away_are_refused)
{
    struct sym_strings strings;
    struct sym_index_writer writer;
    CHECK(sym_strings_init(&strings));
    sym_index_writer_init(&writer, &strings, BASE);
    sym_index_writer_answer(
        &writer, BASE + (UINT64_C(1) << 32), SYM_INDEX_NONE, 0);
    CHECK_EQ(sym_index_save(&writer, -1, KEY, NULL), STATUS_LIMIT);
    sym_index_writer_fini(&writer);
    sym_strings_fini(&strings);
}

TEST(a_full_disk_is_told)
{
    struct sym_strings strings;
    struct sym_index_writer writer;
    struct diag diag = {0};
    int fd = memfd_create("index", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
    CHECK(sym_strings_init(&strings));
    sym_index_writer_init(&writer, &strings, BASE);
    describe(&writer, &strings);
    CHECK_EQ(sym_index_save(&writer, fd, KEY, &diag), STATUS_SYSTEM);
    sym_index_writer_fini(&writer);
    sym_strings_fini(&strings);
    (void)close(fd);
}

/* ---- damage ---- */

/* All answers, for comparison. */
static char (*tell_all(struct sym_index *index))[512]
{
    char(*lines)[512] = calloc(CODE / 16 + 1, sizeof *lines);
    assert_non_null(lines);
    for (size_t i = 0; i < CODE / 16; i++)
        tell(index, BASE + 16 * i + 1, lines[i], sizeof lines[i]);
    return lines;
}

static bool is_same_or_damaged(struct sym_index *index, char (*wanted)[512])
{
    char line[512];
    for (size_t i = 0; i < CODE / 16; i++) {
        tell(index, BASE + 16 * i + 1, line, sizeof line);
        if (index->is_damaged)
            return true;
        if (strcmp(line, wanted[i]) != 0)
            return false;
    }
    return true;
}

TEST(no_damaged_byte_leads_to_a_wrong_answer)
{
    static const uint8_t patterns[] = {0xff, 0x01, 0x80};
    struct file file = make_file();
    struct sym_index index;
    CHECK_OK(sym_index_open_memory(&index, file.bytes, file.count, KEY, NULL));
    char(*wanted)[512] = tell_all(&index);
    sym_index_close(&index);

    /* Every byte of the head, some of the rest. */
    size_t noticed = 0, tried = 0;
    for (size_t at = 0; at < file.count; at += at < 256 ? 1 : 29) {
        file.bytes[at] ^= patterns[at % 3];
        tried++;
        if (sym_index_open_memory(&index, file.bytes, file.count, KEY, NULL) !=
            STATUS_OK) {
            noticed++;
        } else {
            CHECK(is_same_or_damaged(&index, wanted));
            noticed += index.is_damaged;
            sym_index_close(&index);
        }
        file.bytes[at] ^= patterns[at % 3];
    }
    /* But for the padding at the end there is no byte that does not count. */
    CHECK(noticed == tried);
    free(wanted);
    drop_file(&file);
}

TEST(an_index_cut_short_is_refused)
{
    struct file file = make_file();
    struct sym_index index;
    for (size_t count = 0; count < file.count; count += 13) {
        void *cut = malloc(count ? count : 1);
        assert_non_null(cut);
        memcpy(cut, file.bytes, count);
        CHECK_EQ(
            sym_index_open_memory(&index, cut, count, KEY, NULL),
            STATUS_MALFORMED);
        free(cut);
    }
    CHECK_OK(ftruncate(file.fd, 0));
    CHECK_EQ(sym_index_open(&index, file.fd, KEY, NULL), STATUS_MALFORMED);
    drop_file(&file);
}

/* Make the checksums right again, as whoever means harm would. */
static void forge(struct file *file)
{
    struct sym_index_header header;
    memcpy(&header, file->bytes, sizeof header);
    struct sym_index_layout at = sym_index_layout(&header);
    for (uint64_t block = 0; block < at.block_count; block++) {
        uint64_t start = at.directory + block * SYM_INDEX_BLOCK_BYTES;
        uint64_t left = file->count - start;
        uint64_t sum = sym_index_checksum(
            file->bytes + start,
            left < SYM_INDEX_BLOCK_BYTES ? left : SYM_INDEX_BLOCK_BYTES);
        memcpy(file->bytes + at.checksums + 8 * block, &sum, 8);
    }
    header.checksums_checksum =
        sym_index_checksum(file->bytes + at.checksums, 8 * at.block_count);
    header.header_checksum = sym_index_checksum(
        &header, offsetof(struct sym_index_header, header_checksum));
    memcpy(file->bytes, &header, sizeof header);
}

TEST(another_version_key_or_machine_is_refused)
{
    struct file file = make_file();
    struct sym_index index;
    struct sym_index_header *header = (void *)file.bytes;
    CHECK_EQ(sym_index_open(&index, file.fd, KEY + 1, NULL), STATUS_MISMATCH);
    header->version++;
    forge(&file);
    CHECK_EQ(
        sym_index_open_memory(&index, file.bytes, file.count, KEY, NULL),
        STATUS_MISMATCH);
    header->version--;
    header->magic = __builtin_bswap64(header->magic);
    forge(&file);
    CHECK_EQ(
        sym_index_open_memory(&index, file.bytes, file.count, KEY, NULL),
        STATUS_MALFORMED);
    drop_file(&file);
}

/* Ask a forged file for everything: it must come to an end, inside. */
static void ask_forged(struct file *file)
{
    struct sym_index index;
    char line[512];
    forge(file);
    if (sym_index_open_memory(&index, file->bytes, file->count, KEY, NULL) !=
        STATUS_OK)
        return;
    for (size_t i = 0; i < CODE / 16; i++)
        tell(&index, BASE + 16 * i + 1, line, sizeof line);
    sym_index_close(&index);
}

TEST(forged_numbers_are_bounded_where_they_are_used)
{
    static const uint32_t values[] = {0,          1,          599,       600,
                                      0x7fffffff, 0xfffffffe, 0xffffffff};
    struct file file = make_file();
    struct sym_index_header header;
    memcpy(&header, file.bytes, sizeof header);
    struct sym_index_layout at = sym_index_layout(&header);
    const uint64_t parts[] = {
        at.directory, at.groups, at.places, at.nodes, at.text};
    for (size_t part = 0; part < sizeof parts / sizeof parts[0]; part++) {
        for (uint64_t word = 0; word < 24; word++) {
            uint8_t *place = file.bytes + parts[part] + 4 * word;
            uint32_t kept;
            memcpy(&kept, place, 4);
            for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
                memcpy(place, &values[i], 4);
                ask_forged(&file);
            }
            memcpy(place, &kept, 4);
        }
    }
    drop_file(&file);
}

/* The first node is the body of function 0: no caller, and a start of 0. Its
   name's first byte becomes the caller's. */
TEST(a_caller_before_the_first_node_is_none)
{
    struct file file = make_file();
    struct sym_index_header header;
    struct sym_index index;
    struct sym_index_frame frame;
    memcpy(&header, file.bytes, sizeof header);
    uint8_t *node = file.bytes + sym_index_layout(&header).nodes;
    CHECK_EQ(node[0], 1);
    CHECK_EQ(node[1], 0);
    node[0] = 1 << SYM_INDEX_CODE_BITS * SYM_NODE_CALLER;
    forge(&file);
    CHECK_OK(sym_index_open_memory(&index, file.bytes, file.count, KEY, NULL));
    struct sym_index_walk walk = sym_index_find(&index, BASE + 20);
    size_t frames = 0;
    while (sym_index_walk_next(&index, &walk, &frame))
        CHECK(++frames < 10);
    CHECK_EQ(frames, 2);
    sym_index_close(&index);
    drop_file(&file);
}

/* Every place, in an order that no stretch begins with: backwards. */
TEST(each_place_answers_for_itself_whichever_is_asked_first)
{
    struct file file = make_file();
    struct sym_index index;
    CHECK_OK(sym_index_open(&index, file.fd, KEY, NULL));
    CHECK(index.header.stretch_count > 10);
    for (uint64_t i = CODE; i-- > 0;) {
        uint64_t quarter = i % FUNCTION_BYTES / 16, number = i / FUNCTION_BYTES;
        struct sym_index_walk walk = sym_index_find(&index, BASE + i);
        CHECK_EQ(walk.node == SYM_INDEX_NONE, quarter == 3);
        CHECK_EQ(
            walk.source.line, quarter == 0   ? 1000 + number
                              : quarter == 1 ? 5
                                             : 0);
        CHECK_EQ(walk.source.discriminator, quarter == 1 ? 9 : 0);
    }
    sym_index_close(&index);
    drop_file(&file);
}

TEST(a_text_without_an_end_is_not_read_beyond_the_file)
{
    struct file file = make_file();
    struct sym_index_header header;
    struct sym_index index;
    memcpy(&header, file.bytes, sizeof header);
    CHECK_EQ(file.bytes[file.count - 1], 0);
    file.bytes[file.count - 1] = 'x';
    forge(&file);
    CHECK_OK(sym_index_open_memory(&index, file.bytes, file.count, KEY, NULL));
    CHECK_STR(sym_index_string(&index, header.string_count - 1), "");
    CHECK_STR(sym_index_string(&index, header.string_count), "");
    sym_index_close(&index);
    drop_file(&file);
}
