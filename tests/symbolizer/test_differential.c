/*
 * Against other symbolizers: binutils' addr2line and llvm-symbolizer, on
 * random addresses of real libraries with their distribution's debug files.
 * Where these two agree we must agree with them.
 *
 * They are compared after two normalisations:
 *   - the outermost frame's name: tools choose between DWARF's name and one of
 *     the symbol table's aliases (read, __read), or a clone suffix
 *     (f.constprop.0); these count as one name;
 *   - "??", "?", line 0 and discriminators, which say that nothing is known.
 */
#include "tests/harness.h"

#include <ctype.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/symbolizer.h"

enum { ADDRESSES = 600, DEPTH = 32, TEXT = 512, SKIPPED = 77 };

struct frame {
    char function[TEXT], file[TEXT];
    unsigned line;
};

struct stack {
    uint64_t vaddr;
    size_t depth;
    struct frame frames[DEPTH];
};

static _Noreturn void skip_all(const char *reason)
{
    print_message("skipped: %s\n", reason);
    exit(SKIPPED);
}

/* ---- addresses ---- */

static void find_text(const char *path, uint64_t *start, uint64_t *bytes)
{
    elf_version(EV_CURRENT);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        skip_all("the library is not installed");
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    size_t names = 0;
    elf_getshdrstrndx(elf, &names);
    for (Elf_Scn *section = elf_nextscn(elf, NULL); section != NULL;
         section = elf_nextscn(elf, section)) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) != NULL &&
            strcmp(elf_strptr(elf, names, header.sh_name), ".text") == 0) {
            *start = header.sh_addr;
            *bytes = header.sh_size;
        }
    }
    elf_end(elf);
    close(fd);
}

static void choose_addresses(const char *path, struct stack *stacks)
{
    uint64_t start = 0, bytes = 0;
    find_text(path, &start, &bytes);
    if (bytes == 0)
        skip_all("the library has no .text");
    unsigned seed = 20;
    for (size_t i = 0; i < ADDRESSES; i++)
        stacks[i].vaddr = start + (uint64_t)rand_r(&seed) % bytes;
}

/* ---- the others ---- */

static void parse_place(char *text, struct frame *frame)
{
    text[strcspn(text, "\n")] = '\0';
    char *extra = strstr(text, " (discriminator");
    if (extra != NULL)
        *extra = '\0';
    char *colon = strrchr(text, ':');
    if (colon != NULL) {
        *colon = '\0';
        frame->line = (unsigned)strtoul(colon + 1, NULL, 10);
    }
    if (strcmp(text, "??") != 0)
        (void)snprintf(frame->file, TEXT, "%s", text);
}

/* "0xADDRESS", then a line for the function and one for the place of each
   frame, innermost first. */
static void parse_output(FILE *output, struct stack *stacks)
{
    char function[TEXT], place[TEXT];
    size_t at = 0;
    struct stack *stack = NULL;
    while (fgets(function, sizeof function, output) != NULL) {
        if (strncmp(function, "0x", 2) == 0) {
            assert_true(at < ADDRESSES);
            stack = &stacks[at++];
            assert_int_equal(strtoull(function, NULL, 16), stack->vaddr);
            continue;
        }
        if (function[0] == '\n')
            continue;
        if (fgets(place, sizeof place, output) == NULL || stack == NULL ||
            stack->depth == DEPTH)
            break;
        struct frame *frame = &stack->frames[stack->depth++];
        function[strcspn(function, "\n")] = '\0';
        (void)snprintf(frame->function, TEXT, "%s", function);
        parse_place(place, frame);
    }
    CHECK_EQ(at, ADDRESSES);
}

static struct stack *ask_tool(
    const char *command, const char *path, const struct stack *addresses)
{
    struct stack *stacks = calloc(ADDRESSES, sizeof *stacks);
    char list[] = "/tmp/watchfire-addresses-XXXXXX", line[1024];
    assert_non_null(stacks);
    FILE *file = fdopen(mkstemp(list), "w");
    for (size_t i = 0; i < ADDRESSES; i++) {
        stacks[i].vaddr = addresses[i].vaddr;
        (void)fprintf(file, "0x%" PRIx64 "\n", addresses[i].vaddr);
    }
    (void)fclose(file);
    (void)snprintf(line, sizeof line, "%s -e %s < %s", command, path, list);
    FILE *output = popen(line, "r");
    assert_non_null(output);
    parse_output(output, stacks);
    CHECK_OK(pclose(output));
    unlink(list);
    return stacks;
}

static void ask_ours(const char *path, struct stack *stacks)
{
    struct sym_symbolizer *symbolizer = sym_symbolizer_create(NULL);
    struct sym_source source = {.path = path};
    struct sym_module *module = NULL;
    CHECK_OK(sym_module_open(symbolizer, &source, &module, NULL));
    for (size_t i = 0; i < ADDRESSES; i++) {
        struct sym_frames frames;
        CHECK_OK(sym_module_lookup(module, stacks[i].vaddr, &frames, NULL));
        for (size_t f = 0; f < frames.count && f < DEPTH; f++) {
            struct frame *frame = &stacks[i].frames[stacks[i].depth++];
            (void)snprintf(
                frame->function, TEXT, "%s", frames.rows[f].raw_name);
            (void)snprintf(frame->file, TEXT, "%s", frames.rows[f].file);
            frame->line = frames.rows[f].line;
        }
    }
    CHECK_STR(sym_module_problem(module), "");
    sym_symbolizer_destroy(symbolizer);
}

/* ---- agreement ---- */

/* "../Objects/./a.c" and "../Objects/a.c" are one file. */
static bool is_same_file(const char *a, const char *b)
{
    for (;;) {
        while (a[0] == '/' && (a[1] == '/' || (a[1] == '.' && a[2] == '/')))
            a += a[1] == '/' ? 1 : 2;
        while (b[0] == '/' && (b[1] == '/' || (b[1] == '.' && b[2] == '/')))
            b += b[1] == '/' ? 1 : 2;
        if (*a != *b)
            return false;
        if (*a == '\0')
            return true;
        a++;
        b++;
    }
}

static bool agree(const struct stack *a, const struct stack *b)
{
    if (a->depth != b->depth)
        return false;
    for (size_t i = 0; i < a->depth; i++) {
        const struct frame *x = &a->frames[i], *y = &b->frames[i];
        bool is_outermost = i + 1 == a->depth;
        if ((!is_outermost && strcmp(x->function, y->function) != 0) ||
            !is_same_file(x->file, y->file) || x->line != y->line)
            return false;
    }
    return true;
}

static void print_stack(const char *tool, const struct stack *stack)
{
    print_message("%s 0x%" PRIx64 "\n", tool, stack->vaddr);
    for (size_t i = 0; i < stack->depth; i++)
        print_message(
            "    %s %s:%u\n", stack->frames[i].function, stack->frames[i].file,
            stack->frames[i].line);
}

static void compare(const char *path)
{
    struct stack *ours = calloc(ADDRESSES, sizeof *ours);
    assert_non_null(ours);
    choose_addresses(path, ours);
    struct stack *gnu = ask_tool("addr2line -afi", path, ours);
    struct stack *llvm = ask_tool(
        "llvm-symbolizer-14 --output-style=GNU -a -f -i --no-demangle", path,
        ours);
    ask_ours(path, ours);

    size_t decided = 0, agreed = 0;
    for (size_t i = 0; i < ADDRESSES; i++) {
        /* Nobody knows the bytes between functions; there is no vote. */
        bool is_known = gnu[i].frames[0].line > 0 || ours[i].depth > 0;
        if (!is_known || !agree(&gnu[i], &llvm[i]))
            continue;
        decided++;
        if (agree(&ours[i], &gnu[i])) {
            agreed++;
        } else {
            print_stack("ours", &ours[i]);
            print_stack("both others", &gnu[i]);
        }
    }
    print_message(
        "%s: %zu of %zu where both others agree\n", path, agreed, decided);
    CHECK(decided > ADDRESSES / 2);
    CHECK(agreed * 100 >= decided * 99);
    free(ours);
    free(gnu);
    free(llvm);
}

static void need_tools(void)
{
    if (system("command -v addr2line >/dev/null") != 0)
        skip_all("addr2line is not installed (package binutils)");
    if (system("command -v llvm-symbolizer-14 >/dev/null") != 0)
        skip_all("llvm-symbolizer-14 is not installed (package llvm-14)");
    (void)unsetenv("DEBUGINFOD_URLS"); /* no network from a test */
}

TEST(agrees_with_others_on_the_c_library)
{
    need_tools();
    if (access("/usr/lib/debug/.build-id", R_OK) != 0)
        skip_all("no debug files are installed (package libc6-dbg)");
    compare("/lib/x86_64-linux-gnu/libc.so.6");
}

TEST(agrees_with_others_on_the_python_interpreter)
{
    need_tools();
    if (access("/usr/bin/python3.11d", R_OK) != 0)
        skip_all("python3.11d is not installed (package python3.11-dbg)");
    compare("/usr/bin/python3.11d");
}
