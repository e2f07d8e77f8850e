/* The client's library, behind dlopen(3). */
#include "symbolizer/debuginfod.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#include "symbolizer/image_open.h"

/* Of <elfutils/debuginfod.h>, which need not be installed. */
typedef struct debuginfod_client debuginfod_client;
typedef debuginfod_client *begin_function(void);
typedef int find_function(
    debuginfod_client *client, const unsigned char *build_id,
    int build_id_bytes, char **path);
typedef void end_function(debuginfod_client *client);

struct client {
    void *library;
    begin_function *begin;
    find_function *find;
    end_function *end;
};

bool sym_debuginfod_has_servers(void)
{
    const char *urls = getenv("DEBUGINFOD_URLS");
    return urls != NULL && urls[0] != '\0';
}

static bool load(struct client *client)
{
    *client = (struct client){
        .library = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL)};
    if (client->library == NULL)
        return false;
    /* ISO C has no other way from an object to a function. */
    *(void **)&client->begin = dlsym(client->library, "debuginfod_begin");
    *(void **)&client->find =
        dlsym(client->library, "debuginfod_find_debuginfo");
    *(void **)&client->end = dlsym(client->library, "debuginfod_end");
    return client->begin != NULL && client->find != NULL && client->end != NULL;
}

bool sym_debuginfod_fetch(
    const struct sym_image *image, struct sym_image *debug)
{
    struct client client;
    /* The library's own patience is 90 s; what the user says goes first. */
    (void)setenv("DEBUGINFOD_TIMEOUT", "10", 0);
    if (image->build_id_bytes == 0 || !load(&client))
        return false;
    debuginfod_client *handle = client.begin();
    if (handle == NULL)
        return false;
    char *path = NULL;
    int fd =
        client.find(handle, image->build_id, (int)image->build_id_bytes, &path);
    client.end(handle);
    if (fd < 0)
        return false;
    (void)close(fd);
    bool is_right = sym_image_open(debug, path, NULL) == STATUS_OK;
    if (is_right && !sym_image_has_build_id(
                        debug, image->build_id, image->build_id_bytes)) {
        sym_image_close(debug);
        is_right = false;
    }
    free(path);
    return is_right;
}
