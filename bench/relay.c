/* The limit: bytes between PTYs and TCP connections, with no Telnet and no features.
 *
 * relay PATH PORT [PATH PORT]...   serves each tty on 127.0.0.1:PORT, one client at a time, until killed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

enum { BUFFER = 1 << 16 };

struct end {
    int fd;
    enum { LISTENER, LINE, CLIENT } kind;
    struct pair *pair;
    unsigned char waiting[BUFFER]; /* what this end has not yet taken */
    size_t from, to;
    uint32_t watched;
};

struct pair {
    struct end listener, line, client;
};

static int poller;

static void watch(struct end *e, uint32_t events)
{
    if (e->watched == events || e->fd < 0)
        return;
    struct epoll_event ev = {.events = events, .data.ptr = e};
    if (epoll_ctl(poller, e->watched ? (events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL) : EPOLL_CTL_ADD, e->fd, &ev))
        err(1, "epoll_ctl");
    e->watched = events;
}

static void drop_client(struct pair *p)
{
    watch(&p->client, 0);
    close(p->client.fd);
    p->client.fd = -1;
    p->client.from = p->client.to = p->line.from = p->line.to = 0;
    watch(&p->line, 0);
    watch(&p->listener, EPOLLIN);
}

/* Read only what the other end has taken, so that a slow end holds the fast one up. */
static void rewatch(struct pair *p)
{
    if (p->client.fd < 0)
        return;
    uint32_t line_out = p->line.to ? EPOLLOUT : 0, client_out = p->client.to ? EPOLLOUT : 0;
    watch(&p->line, (client_out ? 0 : EPOLLIN) | line_out);
    watch(&p->client, (line_out ? 0 : EPOLLIN) | client_out);
}

static int flush(struct end *e)
{
    ssize_t n = write(e->fd, e->waiting + e->from, e->to - e->from);
    if (n < 0 && errno != EAGAIN)
        return -1;
    if (n > 0)
        e->from += (size_t)n;
    if (e->from == e->to)
        e->from = e->to = 0;
    return 0;
}

static int carry(struct end *in, struct end *out)
{
    ssize_t n = read(in->fd, out->waiting, BUFFER);
    if (n <= 0)
        return n < 0 && errno == EAGAIN ? 0 : -1;
    out->from = 0, out->to = (size_t)n;
    return flush(out);
}

static void accept_client(struct pair *p)
{
    int one = 1;
    int fd = accept4(p->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    p->client.fd = fd;
    watch(&p->listener, 0);
    rewatch(p);
}

static void serve(struct end *e, uint32_t events)
{
    struct pair *p = e->pair;
    if (e->kind == LISTENER) {
        accept_client(p);
        return;
    }
    if (p->client.fd < 0)
        return; /* dropped earlier in this round */
    struct end *other = e->kind == LINE ? &p->client : &p->line;
    int bad = 0;
    if (events & EPOLLOUT)
        bad = flush(e);
    if (!bad && events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !other->to)
        bad = carry(e, other);
    if (bad)
        drop_client(p);
    else
        rewatch(p);
}

static void open_pair(struct pair *p, const char *path, int port)
{
    struct termios tio;
    int one = 1;
    p->listener.kind = LISTENER, p->line.kind = LINE, p->client.kind = CLIENT;
    p->listener.pair = p->line.pair = p->client.pair = p;
    p->client.fd = -1;
    p->line.fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (p->line.fd < 0 || tcgetattr(p->line.fd, &tio))
        err(1, "%s", path);
    cfmakeraw(&tio);
    tcsetattr(p->line.fd, TCSANOW, &tio);
    p->listener.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(p->listener.fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(p->listener.fd, (struct sockaddr *)&at, sizeof at) || listen(p->listener.fd, 8))
        err(1, "port %d", port);
    watch(&p->listener, EPOLLIN);
}

int main(int argc, char **argv)
{
    poller = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 1; i + 1 < argc; i += 2) {
        struct pair *p = calloc(1, sizeof *p);
        if (!p)
            err(1, "calloc");
        open_pair(p, argv[i], atoi(argv[i + 1]));
    }
    for (;;) {
        struct epoll_event ready[64];
        int n = epoll_wait(poller, ready, 64, -1);
        for (int i = 0; i < n; i++)
            serve(ready[i].data.ptr, ready[i].events);
    }
}
