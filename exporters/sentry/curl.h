/*
 * libcurl behind dlopen(3). Linked, it and the thirty libraries it brings
 * would cost every start of the command more than all else together; so it is
 * loaded when there is something to send.
 */
#ifndef EXPORTERS_SENTRY_CURL_H
#define EXPORTERS_SENTRY_CURL_H

#include <curl/curl.h>

#include "profiler/base/status.h"

/* Called through these; the macros that curl.h checks types with do not bite.
 */
struct exp_curl {
    CURLcode (*global_init)(long flags);
    CURL *(*easy_init)(void);
    CURLcode (*easy_setopt)(CURL *easy, CURLoption option, ...);
    CURLcode (*easy_getinfo)(CURL *easy, CURLINFO info, ...);
    const char *(*easy_strerror)(CURLcode code);
    void (*easy_cleanup)(CURL *easy);
    CURLM *(*multi_init)(void);
    CURLMcode (*multi_add_handle)(CURLM *multi, CURL *easy);
    CURLMcode (*multi_remove_handle)(CURLM *multi, CURL *easy);
    CURLMcode (*multi_perform)(CURLM *multi, int *running);
    CURLMcode (*multi_poll)(
        CURLM *multi, struct curl_waitfd extra[], unsigned extra_count,
        int timeout_ms, int *ready);
    CURLMcode (*multi_wakeup)(CURLM *multi);
    CURLMsg *(*multi_info_read)(CURLM *multi, int *left);
    CURLMcode (*multi_cleanup)(CURLM *multi);
    struct curl_slist *(*slist_append)(
        struct curl_slist *list, const char *text);
    void (*slist_free_all)(struct curl_slist *list);
};

/*
 * Load it, once for the process; it stays.
 *
 *   context  any thread
 *   returns  UNSUPPORTED, with the package to install, where there is none
 */
MUST_CHECK enum status exp_curl_load(
    const struct exp_curl **curl, struct diag *diag);

#endif
