/* Preloaded into a daemon: the calls of the C library that acquire something, counted by kind, and
 * refused where the test says so in the file $REFUSALS that it has mapped; see refusals.py.
 *
 * Counting begins when the file $REFUSALS_FROM is opened. PTYs are given modem lines, so that they
 * are watched as those of a UART are.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <termios.h>
#include <unistd.h>

enum kind { DESCRIPTOR, WATCH, NOTIFY, THREAD, OPTION, BIND, RECEIVE, SEND, TTY_READ, TTY_WRITE,
            TTY_IOCTL, MEMORY, KINDS };

/* Calls from number `from` up to `to` are refused with `error`. */
struct rule { volatile uint32_t calls, from, to, error, refused; };

#define LARGE 4000 /* bytes: a buffer, not a Python object */

static struct rule *rules;
/* Behind the rules: a daemon has its file read by a process of its own. */
static volatile uint32_t unmapped, *begun_at = &unmapped;
#define begun (*begun_at)

__attribute__((constructor)) static void map_rules(void)
{
    const char *path = getenv("REFUSALS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *map;

    if (fd < 0)
        return;
    map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        return;
    rules = map;
    begun_at = (uint32_t *)(rules + KINDS);
}

static int refused(enum kind kind)
{
    uint32_t number;

    if (!rules || !begun)
        return 0;
    number = __atomic_add_fetch(&rules[kind].calls, 1, __ATOMIC_SEQ_CST);
    if (!rules[kind].from || number < rules[kind].from || number >= rules[kind].to)
        return 0;
    __atomic_add_fetch(&rules[kind].refused, 1, __ATOMIC_SEQ_CST);
    errno = rules[kind].error;
    return 1;
}

static void opens(const char *path)
{
    const char *first = getenv("REFUSALS_FROM");

    if (rules && !begun && first && !strcmp(path, first))
        begun = 1;
}

static int is_pty(int fd)
{
    struct stat st;

    return !fstat(fd, &st) && S_ISCHR(st.st_mode) && major(st.st_rdev) >= 136 &&
           major(st.st_rdev) <= 143;
}

/* Not one of a pair, such as asyncio's own. */
static int is_named(int fd)
{
    struct sockaddr_storage name;
    socklen_t size = sizeof name;

    return !getsockname(fd, (struct sockaddr *)&name, &size) && size > sizeof(sa_family_t);
}

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) \
        real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define WRAP(result, name, kind, failure, parameters, arguments) \
    result name parameters \
    { \
        REAL(name); \
        return refused(kind) ? failure : real arguments; \
    }

#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        REAL(name); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        opens(path); \
        return refused(DESCRIPTOR) ? -1 : real(path, flags, mode); \
    }

#define OPENAT(name) \
    int name(int at, const char *path, int flags, ...) \
    { \
        REAL(name); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        opens(path); \
        return refused(DESCRIPTOR) ? -1 : real(at, path, flags, mode); \
    }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
WRAP(DIR *, opendir, DESCRIPTOR, NULL, (const char *path), (path))
WRAP(int, socket, DESCRIPTOR, -1, (int d, int t, int p), (d, t, p))
WRAP(int, socketpair, DESCRIPTOR, -1, (int d, int t, int p, int sv[2]), (d, t, p, sv))
WRAP(int, accept, DESCRIPTOR, -1, (int s, struct sockaddr *a, socklen_t *l), (s, a, l))
WRAP(int, accept4, DESCRIPTOR, -1, (int s, struct sockaddr *a, socklen_t *l, int f), (s, a, l, f))
WRAP(int, pipe, DESCRIPTOR, -1, (int fds[2]), (fds))
WRAP(int, pipe2, DESCRIPTOR, -1, (int fds[2], int f), (fds, f))
WRAP(int, dup, DESCRIPTOR, -1, (int fd), (fd))
WRAP(int, epoll_create, DESCRIPTOR, -1, (int size), (size))
WRAP(int, epoll_create1, DESCRIPTOR, -1, (int f), (f))
WRAP(int, eventfd, DESCRIPTOR, -1, (unsigned n, int f), (n, f))
WRAP(int, inotify_init1, DESCRIPTOR, -1, (int f), (f))
WRAP(int, inotify_add_watch, NOTIFY, -1, (int fd, const char *p, uint32_t m), (fd, p, m))
WRAP(int, epoll_ctl, WATCH, -1, (int e, int op, int fd, struct epoll_event *ev), (e, op, fd, ev))
WRAP(int, setsockopt, OPTION, -1, (int s, int l, int o, const void *v, socklen_t n),
     (s, l, o, v, n))
WRAP(int, bind, BIND, -1, (int s, const struct sockaddr *a, socklen_t l), (s, a, l))
WRAP(int, listen, BIND, -1, (int s, int n), (s, n))

ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
    REAL(recv);
    return begun && is_named(fd) && refused(RECEIVE) ? -1 : real(fd, buffer, size, flags);
}

ssize_t send(int fd, const void *buffer, size_t size, int flags)
{
    REAL(send);
    return begun && is_named(fd) && refused(SEND) ? -1 : real(fd, buffer, size, flags);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument)
{
    REAL(pthread_create);
    return refused(THREAD) ? (int)rules[THREAD].error : real(thread, attributes, start, argument);
}

ssize_t read(int fd, void *buffer, size_t size)
{
    REAL(read);
    return begun && is_pty(fd) && refused(TTY_READ) ? -1 : real(fd, buffer, size);
}

ssize_t write(int fd, const void *buffer, size_t size)
{
    REAL(write);
    return begun && is_pty(fd) && refused(TTY_WRITE) ? -1 : real(fd, buffer, size);
}

int tcflush(int fd, int queue)
{
    REAL(tcflush);
    return refused(TTY_IOCTL) ? -1 : real(fd, queue);
}

int ioctl(int fd, unsigned long request, ...)
{
    REAL(ioctl);
    struct termios there;
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (!begun || !is_pty(fd))
        return real(fd, request, argument);
    if (refused(TTY_IOCTL))
        return -1;
    switch (request) {
    case TIOCMGET:
    case TIOCMBIS:
    case TIOCMBIC:
    case TIOCGICOUNT:
    case TIOCMIWAIT:
        if (real(fd, TCGETS, &there))
            return -1;
        if (request == TIOCMGET)
            *(int *)argument = TIOCM_CTS | TIOCM_DSR | TIOCM_CAR | TIOCM_DTR | TIOCM_RTS;
        if (request == TIOCGICOUNT)
            memset(argument, 0, sizeof(struct serial_icounter_struct));
        return request == TIOCMIWAIT ? pause() : 0;
    default:
        return real(fd, request, argument);
    }
}

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *before, size_t size);

void *malloc(size_t size)
{
    return size >= LARGE && refused(MEMORY) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return count * size >= LARGE && refused(MEMORY) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *before, size_t size)
{
    return size >= LARGE && refused(MEMORY) ? NULL : __libc_realloc(before, size);
}
