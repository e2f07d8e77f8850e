/* Ids as Sentry writes them. */
#include "exporters/sentry/id.h"

#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* The kernel's; early in a boot, and only then, what is at hand. */
static void fill_random(uint8_t *bytes, size_t count)
{
    if (getrandom(bytes, count, 0) == (ssize_t)count)
        return;
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    uint64_t value = (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 30 ^
                     (uint64_t)getpid() << 48;
    for (size_t i = 0; i < count; i++) {
        value = value * UINT64_C(6364136223846793005) + 1;
        bytes[i] = (uint8_t)(value >> 56);
    }
}

static const char *write_hex(char *text, const uint8_t *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[2 * count] = '\0';
    return text;
}

const char *exp_id_make(char id[static EXP_ID_BYTES])
{
    uint8_t bytes[16];
    fill_random(bytes, sizeof bytes);
    /* Version and variant, RFC 4122 section 4.4. */
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    return write_hex(id, bytes, sizeof bytes);
}

const char *exp_id_make_span(char id[static EXP_SPAN_ID_BYTES])
{
    uint8_t bytes[8];
    fill_random(bytes, sizeof bytes);
    bytes[0] |= 1; /* never all zeros, which means that there is none */
    return write_hex(id, bytes, sizeof bytes);
}

bool exp_id_is_valid(const char *text, int digits)
{
    size_t length = strlen(text);
    return length == (size_t)digits &&
           strspn(text, "0123456789abcdef") == length &&
           strspn(text, "0") < length;
}
