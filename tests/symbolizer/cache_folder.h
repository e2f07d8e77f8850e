/* A cache of a test's own. */
#ifndef TESTS_SYMBOLIZER_CACHE_FOLDER_H
#define TESTS_SYMBOLIZER_CACHE_FOLDER_H

#include <stddef.h>

/* An empty folder; to be removed by cache_folder_remove(). */
char *cache_folder_make(void);

/* How many files it holds whose names end so. */
size_t cache_folder_count(const char *folder, const char *suffix);

/* The path of the one file whose name ends so; the caller frees it. */
char *cache_folder_file(const char *folder, const char *suffix);

/* With all it holds. */
void cache_folder_remove(char *folder);

#endif
