/* Fixtures, read with libelf alone: the symbolizer under test has no part. */
#include "tests/symbolizer/fixture.h"

#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness.h"

const char *fixture_path(const char *name)
{
    static char paths[4][4096];
    static unsigned next;
    char *path = paths[next++ % 4];
    const char *root = getenv("SYM_FIXTURES");
    (void)snprintf(path, sizeof paths[0], "%s/%s", root ? root : ".", name);
    return path;
}

bool fixture_exists(const char *name)
{
    bool is_there = access(fixture_path(name), R_OK) == 0;
    if (!is_there)
        print_message("not built, its tool is missing: %s\n", name);
    return is_there;
}

/* The row of `name` in the symbol table of `elf`. */
static bool find_symbol(Elf *elf, const char *name, GElf_Sym *symbol)
{
    for (Elf_Scn *section = elf_nextscn(elf, NULL); section != NULL;
         section = elf_nextscn(elf, section)) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == NULL ||
            header.sh_type != SHT_SYMTAB)
            continue;
        Elf_Data *data = elf_getdata(section, NULL);
        for (int i = 0; gelf_getsym(data, i, symbol) != NULL; i++) {
            if (strcmp(
                    elf_strptr(elf, header.sh_link, symbol->st_name), name) ==
                0)
                return true;
        }
    }
    return false;
}

static GElf_Sym symbol_of(const char *fixture, const char *name)
{
    elf_version(EV_CURRENT);
    int fd = open(fixture_path(fixture), O_RDONLY | O_CLOEXEC);
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    GElf_Sym symbol = {0};
    bool is_found = find_symbol(elf, name, &symbol);
    elf_end(elf);
    close(fd);
    if (!is_found)
        print_error("no symbol %s in %s\n", name, fixture);
    CHECK(is_found);
    return symbol;
}

uint64_t fixture_symbol(const char *name, const char *symbol)
{
    return symbol_of(name, symbol).st_value;
}

uint64_t fixture_symbol_size(const char *name, const char *symbol)
{
    return symbol_of(name, symbol).st_size;
}

uint64_t fixture_offset(const char *name, uint64_t vaddr)
{
    elf_version(EV_CURRENT);
    int fd = open(fixture_path(name), O_RDONLY | O_CLOEXEC);
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    uint64_t offset = 0;
    for (Elf_Scn *section = elf_nextscn(elf, NULL); section != NULL;
         section = elf_nextscn(elf, section)) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) != NULL &&
            (header.sh_flags & SHF_EXECINSTR) != 0 && vaddr >= header.sh_addr &&
            vaddr - header.sh_addr < header.sh_size)
            offset = header.sh_offset + (vaddr - header.sh_addr);
    }
    elf_end(elf);
    close(fd);
    CHECK(offset != 0);
    return offset;
}

uint32_t fixture_line(const char *source, const char *mark)
{
    char name[256], wanted[256], line[512];
    (void)snprintf(name, sizeof name, "symbolizer/fixtures/%s", source);
    (void)snprintf(wanted, sizeof wanted, "mark %s */", mark);
    FILE *file = fopen(test_path(name), "re");
    assert_non_null(file);
    uint32_t found = 0;
    for (uint32_t number = 1; fgets(line, sizeof line, file); number++) {
        if (strstr(line, wanted) != NULL)
            found = number;
    }
    (void)fclose(file);
    CHECK(found != 0);
    return found;
}

uint8_t *fixture_read(const char *name, size_t *bytes)
{
    FILE *file = fopen(fixture_path(name), "re");
    assert_non_null(file);
    (void)fseek(file, 0, SEEK_END);
    *bytes = (size_t)ftell(file);
    rewind(file);
    uint8_t *content = malloc(*bytes);
    assert_non_null(content);
    CHECK_EQ(fread(content, 1, *bytes, file), *bytes);
    (void)fclose(file);
    return content;
}

struct sym_symbolizer *fixture_symbolizer(const char *debug_dir)
{
    const char *const dirs[] = {debug_dir, NULL};
    struct sym_options options = {.debug_dirs = dirs};
    struct sym_symbolizer *symbolizer = sym_symbolizer_create(&options);
    assert_non_null(symbolizer);
    return symbolizer;
}

struct sym_module *fixture_open(
    struct sym_symbolizer *symbolizer, const char *name)
{
    struct sym_source source = {.path = fixture_path(name)};
    struct sym_module *module = NULL;
    struct diag diag = {0};
    enum status status = sym_module_open(symbolizer, &source, &module, &diag);
    if (status != STATUS_OK)
        print_error("%s: %s\n", name, diag.text);
    CHECK_OK(status);
    return module;
}

struct sym_frames fixture_lookup(struct sym_module *module, uint64_t vaddr)
{
    struct sym_frames frames = {0};
    CHECK_OK(sym_module_lookup(module, vaddr, &frames, NULL));
    return frames;
}
