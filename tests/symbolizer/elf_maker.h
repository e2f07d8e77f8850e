/* ELF files of 64 bits, made byte by byte: what no compiler writes. */
#ifndef TESTS_SYMBOLIZER_ELF_MAKER_H
#define TESTS_SYMBOLIZER_ELF_MAKER_H

#include <stddef.h>
#include <stdint.h>

/* The one segment, of code. Its bytes are 0, and not in the file. */
#define ELF_MAKER_CODE       0x10000
#define ELF_MAKER_CODE_BYTES 0x10000

/* Bytes that grow. */
struct elf_bytes {
    uint8_t *bytes;
    size_t count, room;
};

struct elf_section {
    const char *name;
    uint32_t type;
    uint64_t flags, vaddr, entry_bytes;
    uint32_t link;
    struct elf_bytes content;
};

/* Sections from 1 on; .text, of the code, is 1. */
struct elf_maker {
    struct elf_section sections[16];
    unsigned count;
};

void elf_put(struct elf_bytes *to, const void *bytes, size_t count);
void elf_put_number(struct elf_bytes *to, uint64_t value, unsigned width);
void elf_put_uleb(struct elf_bytes *to, uint64_t value);
void elf_put_text(struct elf_bytes *to, const char *text);
void elf_put_repeated(struct elf_bytes *to, uint8_t byte, size_t count);

void elf_maker_init(struct elf_maker *maker);

/* A new section of SHT_PROGBITS; its number is maker->count afterwards. */
struct elf_section *elf_maker_add(struct elf_maker *maker, const char *name);

/* A symbol table, of two sections, that says that all of the code is the
   function `name`. */
void elf_maker_add_symbol(struct elf_maker *maker, const char *name);

/* The file, on the heap. The maker is empty afterwards. */
struct elf_bytes elf_maker_finish(struct elf_maker *maker);

#endif
