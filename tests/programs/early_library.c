/* Functions enough for call frame information of more than a page's share. */
#define FUNCTION(n)                                                            \
    int early_##n(int value);                                                  \
    int early_##n(int value)                                                   \
    {                                                                          \
        char room[64 + (n)];                                                   \
        __asm__ volatile("" : : "r"(room) : "memory", "rbx", "r12");           \
        return value + room[value & 63];                                       \
    }
#define TEN(n)                                                                 \
    FUNCTION(n##0)                                                             \
    FUNCTION(n##1)                                                             \
    FUNCTION(n##2)                                                             \
    FUNCTION(n##3)                                                             \
    FUNCTION(n##4)                                                             \
    FUNCTION(n##5)                                                             \
    FUNCTION(n##6)                                                             \
    FUNCTION(n##7)                                                             \
    FUNCTION(n##8)                                                             \
    FUNCTION(n##9)

FUNCTION(0)
TEN(1)
TEN(2)
TEN(3)
