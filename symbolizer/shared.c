/* What all modules of a symbolizer share. */
#include "symbolizer/shared.h"

#include <stdlib.h>
#include <string.h>

void sym_dirs_free(char **dirs)
{
    for (char **dir = dirs; dir != NULL && *dir != NULL; dir++)
        free(*dir);
    free(dirs);
}

char **sym_dirs_copy(const char *const *dirs)
{
    size_t count = 0;
    while (dirs[count] != NULL)
        count++;
    char **copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; copy != NULL && i < count; i++) {
        copy[i] = strdup(dirs[i]);
        if (copy[i] == NULL) {
            sym_dirs_free(copy);
            return NULL;
        }
    }
    return copy;
}

bool sym_shared_init(struct sym_shared *shared, const char *const *debug_dirs)
{
    static const char *const usual_dirs[] = {"/usr/lib/debug", NULL};
    *shared = (struct sym_shared){0};
    shared->debug_dirs =
        sym_dirs_copy(debug_dirs != NULL ? debug_dirs : usual_dirs);
    return shared->debug_dirs != NULL && sym_strings_init(&shared->strings);
}

void sym_shared_fini(struct sym_shared *shared)
{
    sym_strings_fini(&shared->strings);
    sym_dirs_free(shared->debug_dirs);
}
