/* One envelope to the backend, and its answer. */
#include "exporters/sentry/transport.h"

#include <errno.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exporters/sentry/client.h"
#include "exporters/sentry/curl.h"
#include "exporters/sentry/dsn.h"

enum { BODY_BYTES = 8192, POLL_MS = 1000 };

struct exp_transport {
    const struct exp_curl *curl;
    CURL *easy;
    CURLM *multi;
    struct curl_slist *headers;
    char url[EXP_DSN_URL_BYTES];
    char error[CURL_ERROR_SIZE];
    atomic_bool is_stopped;
    /* Of the answer that comes in. */
    struct exp_answer *answer;
    bool has_headers; /* all of them, of a final answer */
    bool is_too_long;
    size_t body_bytes;
    char body[BODY_BYTES];
};

/* The value of "Name: value\r\n" when the name is this one. */
static bool take_value(
    const char *line, size_t bytes, const char *name, char *value)
{
    size_t length = strlen(name), used = strlen(value);
    if (bytes <= length || line[length] != ':' ||
        strncasecmp(line, name, length) != 0)
        return false;
    const char *at = line + length + 1, *end = line + bytes;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (at < end && strchr("\r\n \t", end[-1]) != NULL)
        end--;
    /* Several of one name are one list (RFC 9110 section 5.3). */
    (void)snprintf(
        value + used, EXP_ANSWER_TEXT_BYTES - used, "%s%.*s",
        used > 0 ? ", " : "", (int)(end - at), at);
    return true;
}

static size_t take_header(char *line, size_t size, size_t count, void *context)
{
    struct exp_transport *transport = context;
    struct exp_answer *answer = transport->answer;
    size_t bytes = size * count;
    if (bytes >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        *answer = (struct exp_answer){0}; /* that of a 100 before it is over */
        transport->has_headers = false;
    } else if (bytes > 0 && (line[0] == '\r' || line[0] == '\n')) {
        long status = 0;
        (void)transport->curl->easy_getinfo(
            transport->easy, CURLINFO_RESPONSE_CODE, &status);
        transport->has_headers = status >= 200;
    } else {
        (void)take_value(
            line, bytes, "X-Sentry-Rate-Limits", answer->rate_limits);
        (void)take_value(line, bytes, "Retry-After", answer->retry_after);
        (void)take_value(line, bytes, "X-Sentry-Error", answer->problem);
        answer->is_backends |=
            bytes > 9 && strncasecmp(line, "X-Sentry-", 9) == 0;
    }
    return bytes;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct exp_transport *transport = context;
    size_t got = size * count, room = BODY_BYTES - transport->body_bytes;
    transport->is_too_long |= got > room;
    memcpy(
        transport->body + transport->body_bytes, bytes,
        got < room ? got : room);
    transport->body_bytes += got < room ? got : room;
    return got;
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/*
 * libcurl itself reads the other names, but not this one, as a CGI script has
 * in it whatever a client sends as "Proxy:"; such a script has REQUEST_METHOD.
 */
static const char *proxy(const struct exp_dsn *dsn)
{
    if (dsn->is_tls || environment("http_proxy") != NULL ||
        environment("REQUEST_METHOD") != NULL)
        return NULL;
    return environment("HTTP_PROXY");
}

static bool add_header(struct exp_transport *transport, const char *line)
{
    struct curl_slist *longer =
        transport->curl->slist_append(transport->headers, line);
    if (longer != NULL)
        transport->headers = longer;
    return longer != NULL;
}

static bool add_headers(
    struct exp_transport *transport, const struct exp_dsn *dsn)
{
    char auth[EXP_DSN_URL_BYTES], line[EXP_DSN_URL_BYTES + 32];
    (void)snprintf(
        line, sizeof line, "X-Sentry-Auth: %s", exp_dsn_auth(dsn, auth));
    return add_header(transport, line) &&
           add_header(
               transport, "Content-Type: application/x-sentry-envelope") &&
           add_header(transport, "Content-Encoding: gzip") &&
           /* Proxies and old backends make a second of waiting of it. */
           add_header(transport, "Expect:");
}

static uint32_t either(uint32_t value, uint32_t otherwise)
{
    return value != 0 ? value : otherwise;
}

static void set_limits(
    struct exp_transport *transport, const struct exp_transport_limits *limits)
{
    const struct exp_transport_limits given =
        limits != NULL ? *limits : (struct exp_transport_limits){0};
    const struct exp_curl *curl = transport->curl;
    CURL *easy = transport->easy;
    (void)curl->easy_setopt(
        easy, CURLOPT_CONNECTTIMEOUT_MS, (long)either(given.connect_ms, 10000));
    (void)curl->easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    (void)curl->easy_setopt(
        easy, CURLOPT_LOW_SPEED_TIME, (long)either(given.idle_s, 30));
    (void)curl->easy_setopt(
        easy, CURLOPT_TIMEOUT, (long)either(given.whole_s, 300));
}

static void set_trust(struct exp_transport *transport)
{
    const struct exp_curl *curl = transport->curl;
    const char *bundle = environment("CURL_CA_BUNDLE");
    const char *folder = environment("SSL_CERT_DIR");
    if (bundle == NULL)
        bundle = environment("SSL_CERT_FILE");
    if (bundle != NULL)
        (void)curl->easy_setopt(transport->easy, CURLOPT_CAINFO, bundle);
    if (folder != NULL)
        (void)curl->easy_setopt(transport->easy, CURLOPT_CAPATH, folder);
}

static void set_options(
    struct exp_transport *transport, const struct exp_dsn *dsn)
{
    const struct exp_curl *curl = transport->curl;
    CURL *easy = transport->easy;
    (void)curl->easy_setopt(
        easy, CURLOPT_URL, exp_dsn_envelope_url(dsn, transport->url));
    (void)curl->easy_setopt(easy, CURLOPT_HTTPHEADER, transport->headers);
    (void)curl->easy_setopt(
        easy, CURLOPT_USERAGENT, EXP_CLIENT_NAME "/" EXP_CLIENT_VERSION);
    (void)curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    (void)curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* A resolver that hangs is left alone when we end. Since 7.87. */
    (void)curl->easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    (void)curl->easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    (void)curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, transport->error);
    (void)curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl->easy_setopt(easy, CURLOPT_HEADERDATA, transport);
    (void)curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl->easy_setopt(easy, CURLOPT_WRITEDATA, transport);
    if (proxy(dsn) != NULL)
        (void)curl->easy_setopt(easy, CURLOPT_PROXY, proxy(dsn));
}

enum status exp_transport_open(
    struct exp_transport **transport, const struct exp_dsn *dsn,
    const struct exp_transport_limits *limits, struct diag *diag)
{
    const struct exp_curl *curl;
    enum status status = exp_curl_load(&curl, diag);
    if (status != STATUS_OK)
        return status;
    struct exp_transport *made = calloc(1, sizeof *made);
    if (made == NULL)
        return fail(diag, STATUS_NO_MEMORY, "out of memory");
    made->curl = curl;
    made->easy = curl->easy_init();
    made->multi = curl->multi_init();
    if (made->easy == NULL || made->multi == NULL || !add_headers(made, dsn)) {
        exp_transport_close(made);
        return fail(diag, STATUS_NO_MEMORY, "out of memory");
    }
    set_options(made, dsn);
    set_limits(made, limits);
    set_trust(made);
    *transport = made;
    return STATUS_OK;
}

void exp_transport_close(struct exp_transport *transport)
{
    if (transport == NULL)
        return;
    transport->curl->easy_cleanup(transport->easy);
    (void)transport->curl->multi_cleanup(transport->multi);
    transport->curl->slist_free_all(transport->headers);
    free(transport);
}

const char *exp_transport_url(const struct exp_transport *transport)
{
    return transport->url;
}

/* Let it run; the code it ended with. */
static CURLcode run(struct exp_transport *transport)
{
    const struct exp_curl *curl = transport->curl;
    int running = 1, count;
    while (running > 0 && !atomic_load(&transport->is_stopped)) {
        if (curl->multi_perform(transport->multi, &running) != CURLM_OK)
            return CURLE_FAILED_INIT;
        if (running > 0 &&
            curl->multi_poll(transport->multi, NULL, 0, POLL_MS, &count) !=
                CURLM_OK)
            return CURLE_FAILED_INIT;
    }
    const CURLMsg *message = curl->multi_info_read(transport->multi, &count);
    return message != NULL ? message->data.result : CURLE_ABORTED_BY_CALLBACK;
}

/* Whether the body is one of the backend; then its `detail` is the problem. */
static bool read_detail(struct exp_transport *transport)
{
    struct exp_answer *answer = transport->answer;
    if (transport->is_too_long)
        return false;
    json_t *body = json_loadb(transport->body, transport->body_bytes, 0, NULL);
    const json_t *detail = json_object_get(body, "detail");
    bool is_backends = detail != NULL;
    /* Quoted and escaped: it may end up on a terminal. */
    char *text = json_dumps(detail, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    if (json_is_string(detail) && text != NULL && answer->problem[0] == '\0')
        (void)snprintf(answer->problem, sizeof answer->problem, "%.400s", text);
    free(text);
    json_decref(body);
    return is_backends;
}

void exp_transport_post(
    struct exp_transport *transport, const void *bytes, size_t count,
    struct exp_answer *answer)
{
    const struct exp_curl *curl = transport->curl;
    *answer = (struct exp_answer){0};
    transport->answer = answer;
    transport->has_headers = transport->is_too_long = false;
    transport->body_bytes = 0;
    transport->error[0] = '\0';
    (void)curl->easy_setopt(
        transport->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)count);
    (void)curl->easy_setopt(transport->easy, CURLOPT_POSTFIELDS, bytes);
    CURLcode code = CURLE_OUT_OF_MEMORY;
    if (curl->multi_add_handle(transport->multi, transport->easy) == CURLM_OK)
        code = run(transport);
    long status = 0;
    (void)curl->easy_getinfo(transport->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl->multi_remove_handle(transport->multi, transport->easy);
    /*
     * With all its headers there, an answer is one, even if its body never
     * comes whole: the backend has taken what it has taken.
     */
    if (code == CURLE_OK || transport->has_headers) {
        answer->status = (int)status;
        answer->is_backends |= read_detail(transport);
    } else {
        *answer = (struct exp_answer){0};
        (void)snprintf(
            answer->problem, sizeof answer->problem, "%s",
            transport->error[0] != '\0' ? transport->error
                                        : curl->easy_strerror(code));
    }
}

void exp_transport_stop(struct exp_transport *transport)
{
    atomic_store(&transport->is_stopped, true);
    (void)transport->curl->multi_wakeup(transport->multi);
}
