/* Preloaded into the daemon: PTYs that pass for USB adapters, and are sick at will.
 *
 * A PTY whose number is the name of a folder in $SICK_DIR is shown under the major number of
 * ttyUSB. It has modem lines, counts and TIOCSERGETLSR, which a PTY has not. When the folder has a
 * file with the name of a call (TCSETS2, open, write), the call
 *   - waits, if the file is a FIFO, from its opening to its end, and is made then;
 *   - fails, if it is a plain file, with the errno that stands in it.
 * See sickness.py.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#ifndef TIOCMIWAIT
#define TIOCMIWAIT 0x545C
#endif
#define TTYUSB 188
#define REAL(name) static __typeof__(&name) real; if (!real) real = dlsym(RTLD_NEXT, #name)

/* kernel.pty.max: on a busy machine there are many. */
#define MOST 4096

static volatile int outputs[MOST] = {[0 ... MOST - 1] = TIOCM_DTR | TIOCM_RTS};

static const struct { unsigned long request; const char *name; } requests[] = {
    {0x802C542A, "TCGETS2"}, {0x402C542B, "TCSETS2"}, {TIOCMGET, "TIOCMGET"},
    {TIOCMBIS, "TIOCMBIS"}, {TIOCMBIC, "TIOCMBIC"}, {TIOCSBRK, "TIOCSBRK"},
    {TIOCCBRK, "TIOCCBRK"}, {TCFLSH, "TCFLSH"}, {TIOCGICOUNT, "TIOCGICOUNT"},
    {TIOCSERGETLSR, "TIOCSERGETLSR"}, {TIOCOUTQ, "TIOCOUTQ"}, {TIOCEXCL, "TIOCEXCL"},
};

/* The number of a PTY that passes for an adapter, or -1. */
static int adapter(const struct stat *st)
{
    const char *dir = getenv("SICK_DIR");
    char path[256];

    if (!dir || !S_ISCHR(st->st_mode) || major(st->st_rdev) != 136 || minor(st->st_rdev) >= MOST)
        return -1;
    snprintf(path, sizeof path, "%s/%u", dir, minor(st->st_rdev));
    return access(path, F_OK) ? -1 : (int)minor(st->st_rdev);
}

static int adapter_at(int fd)
{
    struct stat st;

    return syscall(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH) ? -1 : adapter(&st);
}

/* Whether a call is to fail, with errno; it may wait before. */
static int sick(int number, const char *name)
{
    char path[256], text[16] = "";
    int file;

    snprintf(path, sizeof path, "%s/%d/%s", getenv("SICK_DIR"), number, name);
    do
        file = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    while (file < 0 && errno == EINTR);
    if (file < 0)
        return 0;
    /* A FIFO: until the test closes it. */
    while (syscall(SYS_read, file, text, sizeof text - 1) < 0 && errno == EINTR)
        ;
    syscall(SYS_close, file);
    errno = atoi(text);
    return errno != 0;
}

static void disguise(struct stat *st)
{
    int number = adapter(st);

    if (number >= 0)
        st->st_rdev = makedev(TTYUSB, number);
}

int fstat(int fd, struct stat *st)
{
    int failed = syscall(SYS_newfstatat, fd, "", st, AT_EMPTY_PATH);

    if (!failed)
        disguise(st);
    return failed;
}

int stat(const char *path, struct stat *st)
{
    int failed = syscall(SYS_newfstatat, AT_FDCWD, path, st, 0);

    if (!failed)
        disguise(st);
    return failed;
}

/* The same on machines of 64 bits, and what Python calls. */
int fstat64(int fd, struct stat64 *st) { return fstat(fd, (struct stat *)st); }
int stat64(const char *path, struct stat64 *st) { return stat(path, (struct stat *)st); }

int open64(const char *path, int flags, ...)
{
    struct stat st;
    va_list rest;
    mode_t mode;
    int number;

    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
    if (!syscall(SYS_newfstatat, AT_FDCWD, path, &st, 0) && (number = adapter(&st)) >= 0 &&
        sick(number, "open"))
        return -1;
    return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    mode_t mode;

    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
    return open64(path, flags, mode);
}

int close(int fd)
{
    int number = adapter_at(fd);
    int failed = number >= 0 && sick(number, "close");
    int result = syscall(SYS_close, fd);

    return failed ? -1 : result;
}

ssize_t write(int fd, const void *data, size_t size)
{
    int number = adapter_at(fd);

    return number >= 0 && sick(number, "write") ? -1 : syscall(SYS_write, fd, data, size);
}

int ioctl(int fd, unsigned long request, ...)
{
    int number = adapter_at(fd);
    va_list rest;
    void *arg;

    REAL(ioctl);
    va_start(rest, request);
    arg = va_arg(rest, void *);
    va_end(rest);
    if (number < 0)
        return real(fd, request, arg);
    request = (unsigned int)request;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        if (requests[i].request == request && sick(number, requests[i].name))
            return -1;
    switch (request) {
    case TIOCMGET:
        *(int *)arg = outputs[number] | TIOCM_CTS | TIOCM_DSR | TIOCM_CAR;
        return 0;
    case TIOCMBIS:
        outputs[number] |= *(int *)arg;
        return 0;
    case TIOCMBIC:
        outputs[number] &= ~*(int *)arg;
        return 0;
    case TIOCGICOUNT:
        memset(arg, 0, 20 * sizeof(int));
        return 0;
    case TIOCSERGETLSR:
        *(int *)arg = TIOCSER_TEMT;
        return 0;
    case TIOCSBRK:
    case TIOCCBRK:
        return 0;
    case TIOCMIWAIT:
        /* Nothing changes; a signal ends it. */
        pause();
        errno = EINTR;
        return -1;
    }
    return real(fd, request, arg);
}
