/* libcurl behind dlopen(3). */
#include "exporters/sentry/curl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

static struct exp_curl functions;
static struct diag failure;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static const struct {
    const char *name;
    size_t offset;
} symbols[] = {
#define SYMBOL(name)                                                           \
    {                                                                          \
        "curl_" #name, offsetof(struct exp_curl, name)                         \
    }
    SYMBOL(global_init),         SYMBOL(easy_init),
    SYMBOL(easy_setopt),         SYMBOL(easy_getinfo),
    SYMBOL(easy_strerror),       SYMBOL(easy_cleanup),
    SYMBOL(multi_init),          SYMBOL(multi_add_handle),
    SYMBOL(multi_remove_handle), SYMBOL(multi_perform),
    SYMBOL(multi_poll),          SYMBOL(multi_wakeup),
    SYMBOL(multi_info_read),     SYMBOL(multi_cleanup),
    SYMBOL(slist_append),        SYMBOL(slist_free_all),
#undef SYMBOL
};

static void *open_library(void)
{
    /* The flavours of Debian differ in the TLS library behind them. */
    static const char *const names[] = {
        "libcurl.so.4", "libcurl-gnutls.so.4", "libcurl-nss.so.4"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (library != NULL)
            return library;
    }
    return NULL;
}

static void load(void)
{
    void *library = open_library();
    if (library == NULL) {
        (void)fail(
            &failure, STATUS_UNSUPPORTED,
            "cannot send: there is no libcurl.so.4 here; apt-get install "
            "libcurl4");
        return;
    }
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        void *symbol = dlsym(library, symbols[i].name);
        /* ISO C has no other way from an object to a function. */
        *(void **)((char *)&functions + symbols[i].offset) = symbol;
        if (symbol == NULL) {
            (void)fail(
                &failure, STATUS_UNSUPPORTED,
                "cannot send: this libcurl has no %s, which came with 7.68",
                symbols[i].name);
            return;
        }
    }
    if (functions.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        (void)fail(
            &failure, STATUS_UNSUPPORTED,
            "cannot send: libcurl does not start");
}

enum status exp_curl_load(const struct exp_curl **curl, struct diag *diag)
{
    (void)pthread_once(&once, load);
    if (failure.status != STATUS_OK) {
        if (diag != NULL)
            *diag = failure;
        return failure.status;
    }
    *curl = &functions;
    return STATUS_OK;
}
