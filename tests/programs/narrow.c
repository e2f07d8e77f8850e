/*
 * A 32-bit program, linked against the 32-bit C library without its headers:
 * the library alone comes with libc6-i386.
 */
int printf(const char *format, ...);
void exit(int status);
void _start(void);

void _start(void)
{
    volatile unsigned long turns = 0;
    while (turns < 300000000)
        turns++;
    printf("%u bits\n", (unsigned)sizeof(void *) * 8);
    exit(5);
}
