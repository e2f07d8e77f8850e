/* Reading the kernel's symbols. */
#include "symbolizer/kallsyms.h"

#include <stdio.h>
#include <stdlib.h>

/* All modules' symbols of a large kernel take 20 MB. */
#define KALLSYMS_LIMIT_BYTES (UINT64_C(1) << 28)

/* The text of a file that does not know its own size, as all in /proc. */
static char *read_text(const char *path, struct diag *problem)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        (void)fail(problem, STATUS_SYSTEM, "open '%s'", path);
        return NULL;
    }
    size_t capacity = 1 << 16, used = 0;
    char *text = malloc(capacity);
    while (text != NULL && capacity < KALLSYMS_LIMIT_BYTES) {
        used += fread(text + used, 1, capacity - 1 - used, file);
        if (used < capacity - 1)
            break;
        char *larger = realloc(text, capacity *= 2);
        if (larger == NULL)
            free(text);
        text = larger;
    }
    (void)fclose(file);
    if (text == NULL)
        (void)fail(problem, STATUS_NO_MEMORY, "no memory for '%s'", path);
    else
        text[used] = '\0';
    return text;
}

enum status sym_kallsyms_read(
    struct sym_names *names, const char *path, char **text,
    struct diag *problem)
{
    *text = read_text(path, problem);
    if (*text == NULL)
        return problem->status == STATUS_NO_MEMORY ? STATUS_NO_MEMORY
                                                   : STATUS_OK;
    bool is_hidden;
    if (!sym_names_add_kallsyms(names, *text, &is_hidden))
        return STATUS_NO_MEMORY;
    if (is_hidden)
        (void)fail(
            problem, STATUS_NOT_PERMITTED,
            "'%s' shows no addresses: kernel.kptr_restrict forbids it; as "
            "root: sysctl kernel.kptr_restrict=0",
            path);
    return STATUS_OK;
}
