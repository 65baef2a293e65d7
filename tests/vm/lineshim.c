/* Preloaded into QEMU: modem lines, settings and breaks for a 16550A whose wire is a PTY.
 *
 * QEMU's UART reads and drives modem lines, and tells its speed, parity, stop bits and breaks,
 * through the tty ioctls of a "-chardev serial". A PTY has none of these, so they are answered
 * here, from a small file $LINESHIM_DIR/N that the test has mapped (N is the number of the PTY);
 * each change is told through the eventfd $LINESHIM_EVENTFD. See lineshim.py.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

struct shared {
    volatile uint32_t inputs, outputs, breaks, cflag, speed;
};

static struct shared *shared_of(int fd)
{
    static struct {
        dev_t device;
        struct shared *shared;
    } known[16];
    static int count;
    const char *dir = getenv("LINESHIM_DIR");
    char path[256];
    struct stat st;
    void *map;
    int file;

    /* 136 to 143: the far ends of PTYs */
    if (!dir || fstat(fd, &st) || !S_ISCHR(st.st_mode) || major(st.st_rdev) < 136 ||
        major(st.st_rdev) > 143)
        return NULL;
    for (int i = 0; i < count; i++)
        if (known[i].device == st.st_rdev)
            return known[i].shared;
    snprintf(path, sizeof path, "%s/%u", dir, minor(st.st_rdev) + (major(st.st_rdev) - 136) * 256);
    if ((file = open(path, O_RDWR | O_CLOEXEC)) < 0)
        return NULL;
    map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (map == MAP_FAILED || count == 16)
        return NULL;
    known[count].device = st.st_rdev;
    known[count].shared = map;
    return known[count++].shared;
}

static void changed(void)
{
    const uint64_t one = 1;
    const char *fd = getenv("LINESHIM_EVENTFD");

    if (fd && write(atoi(fd), &one, sizeof one) < 0)
        perror("lineshim");
}

int ioctl(int fd, unsigned long request, ...)
{
    static int (*real)(int, unsigned long, ...);
    va_list rest;
    void *arg;

    va_start(rest, request);
    arg = va_arg(rest, void *);
    va_end(rest);
    if (request == TIOCMGET || request == TIOCMSET) {
        struct shared *s = shared_of(fd);
        if (s && request == TIOCMGET) {
            *(int *)arg = s->inputs | s->outputs;
            return 0;
        }
        if (s) {
            s->outputs = *(int *)arg & (TIOCM_DTR | TIOCM_RTS);
            changed();
            return 0;
        }
    }
    if (!real)
        real = dlsym(RTLD_NEXT, "ioctl");
    return real(fd, request, arg);
}

int tcsetattr(int fd, int when, const struct termios *attributes)
{
    static int (*real)(int, int, const struct termios *);
    struct shared *s = shared_of(fd);

    if (s) {
        s->cflag = attributes->c_cflag;
        s->speed = cfgetospeed(attributes);
        changed();
    }
    if (!real)
        real = dlsym(RTLD_NEXT, "tcsetattr");
    return real(fd, when, attributes);
}

int tcsendbreak(int fd, int duration)
{
    static int (*real)(int, int);
    struct shared *s = shared_of(fd);

    if (s) {
        s->breaks++;
        changed();
        return 0;
    }
    if (!real)
        real = dlsym(RTLD_NEXT, "tcsendbreak");
    return real(fd, duration);
}
