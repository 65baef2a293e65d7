/* The load generator: both ends of every port of a gateway, the client's socket and the far end of the line.
 *
 * load PORTS telnet|raw [tls]   makes PORTS PTYs, prints the paths of their lines, one a line, then takes commands
 * on stdin and answers each with one line of JSON on stdout:
 *
 *   pid N [M]                      the gateway's process, or two, whose CPU time is measured
 *   connect TCPPORT...             connect the first ports, agree BINARY, pass a byte each way
 *   disconnect
 *   rtt BYTES ROUNDS SECONDS       client to line and back, one after the other, on the first port
 *   bulk up|down|both text|random|ff BYTES   as fast as it goes, on the first port; up is line to client
 *   paced PIECE BAUD up|both SECONDS [text] [uneven]   each connected port as a UART of BAUD delivers it, PIECE bytes
 *                                  at a time, or from half to one and a half times as many, at times of its own
 *   churn TCPPORT SECONDS          connect, agree COM-PORT, SET-BAUDRATE, close
 *   handshakes TCPPORT SECONDS     connect, begin TLS without a ticket, close
 *
 * Every byte is checked against its position. Times are CLOCK_MONOTONIC; CPU is user and system time of the
 * gateway's process. A byte that is wrong or never comes ends the program with {"error": ...}. */
#define _GNU_SOURCE
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#ifdef WITH_TLS
#include <openssl/ssl.h>
#endif

#define SECOND 1000000000ull

enum { MARKS = 1 << 13, PATIENCE = 10 /* seconds without a byte before a run is given up */ };

struct mark { uint64_t end, at; }; /* a piece: the position behind it, the time it was written */

struct flow { /* one direction of one port */
    uint64_t origin;        /* where in the content it starts, so that crossed ports show */
    uint64_t written, seen; /* data bytes given to the gateway, and come out again */
    uint64_t overrun;       /* bytes that could not be given in time, as when a UART's buffer is full */
    uint64_t wanted;        /* bulk: the position to reach */
    struct mark *marks;     /* pieces under way, a ring */
    unsigned oldest, newest;
};

struct port {
    int far, line, sock; /* PTY master; its slave, kept open and raw; the client's socket */
    char path[64];
    struct telnet telnet;
#ifdef WITH_TLS
    SSL *tls; /* the layer on the socket, or NULL */
#endif
    struct flow up, down;
    unsigned char out[2 * CHUNK + 64]; /* encoded for the socket, not yet taken */
    size_t out_from, out_to;
};

static struct port *ports;
static unsigned port_count, connected;
static bool spoken, sampling;
static bool courting; /* a session is being opened: data that nobody sent is a refusal in words */
static bool encrypted;
static int poller;
#ifdef WITH_TLS
static SSL_CTX *context;
#endif
static enum content kind = RANDOM;
enum { PROCESSES = 2 };
static clockid_t gateway_clocks[PROCESSES];
static unsigned gateway_clock_count;
static uint32_t *samples; /* nanoseconds, at most 4.2 s */
static size_t sample_count, sample_room;

static void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("{\"error\": \"");
    vprintf(format, args);
    printf("\"}\n");
    va_end(args);
    exit(1);
}

static uint64_t read_clock(clockid_t clock)
{
    struct timespec t;
    if (clock_gettime(clock, &t))
        fail("the gateway has ended");
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static uint64_t now(void) { return read_clock(CLOCK_MONOTONIC); }

static uint64_t gateway_cpu(void)
{
    uint64_t cpu = 0;
    for (unsigned i = 0; i < gateway_clock_count; i++)
        cpu += read_clock(gateway_clocks[i]);
    return cpu;
}

static void sample(uint64_t ns)
{
    if (sample_count == sample_room) {
        sample_room = sample_room ? sample_room * 2 : 1 << 16;
        samples = realloc(samples, sample_room * sizeof *samples);
        if (!samples)
            fail("out of memory");
    }
    samples[sample_count++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static double percentile_us(double p)
{
    if (!sample_count)
        return 0;
    return samples[(size_t)(p * (double)(sample_count - 1))] / 1e3;
}

/* How late pieces were begun: counts by LATE_STEP ns, the last one for all that were later still. */
enum { LATE_STEP = 10000, LATE_STEPS = 10000 };
static uint64_t lateness[LATE_STEPS];

static void was_late(uint64_t ns)
{
    lateness[ns / LATE_STEP < LATE_STEPS ? ns / LATE_STEP : LATE_STEPS - 1]++;
}

/* The least count of steps that so many of a hundred pieces were not later than. */
static unsigned late_steps(uint64_t pieces, double percent)
{
    uint64_t seen = 0;
    unsigned steps = 0;
    while (steps < LATE_STEPS && (double)(seen += lateness[steps]) < (double)pieces * percent / 100)
        steps++;
    return steps + 1;
}

static uint64_t later_than(unsigned steps)
{
    uint64_t count = 0;
    for (unsigned i = steps; i < LATE_STEPS; i++)
        count += lateness[i];
    return count;
}

/* What a measurement started from, and its report. */
static uint64_t wall_start, cpu_start, own_start, bytes_start;

static uint64_t bytes_seen(void)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < port_count; i++)
        n += ports[i].up.seen + ports[i].down.seen;
    return n;
}

static void begin(void)
{
    sample_count = 0;
    memset(lateness, 0, sizeof lateness);
    sampling = true;
    bytes_start = bytes_seen();
    own_start = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    wall_start = now();
    cpu_start = gateway_cpu();
}

/* `wall` is the time the work took by its schedule, in ns; 0: until now. */
static void report(uint64_t wall, uint64_t rounds, uint64_t lost)
{
    uint64_t cpu = gateway_cpu() - cpu_start, took = now() - wall_start;
    uint64_t own = read_clock(CLOCK_PROCESS_CPUTIME_ID) - own_start;
    sampling = false;
    qsort(samples, sample_count, sizeof *samples, by_size);
    printf("{\"wall_s\": %.6f, \"cpu_s\": %.6f, \"load_cpu_s\": %.6f, \"bytes\": %llu, \"rounds\": %llu, "
           "\"lost\": %llu, \"late_percent\": %.2f, \"late_p99_us\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}\n",
           (double)(wall ? wall : took) / 1e9, (double)cpu / 1e9, (double)own / 1e9,
           (unsigned long long)(bytes_seen() - bytes_start), (unsigned long long)rounds,
           (unsigned long long)lost, rounds ? 100. * (double)later_than(SECOND / 1000 / LATE_STEP) / (double)rounds : 0.,
           later_than(0) ? late_steps(rounds, 99) * (LATE_STEP / 1e3) : 0.,
           percentile_us(.5), percentile_us(.99), percentile_us(1));
}

/* Bytes of a flow have come out: they must be the ones that its positions say. */
static void check(struct port *p, struct flow *f, const unsigned char *data, size_t n)
{
    const char *way = f == &p->up ? "to the client" : "to the line";
    long number = p - ports;
    if (f->seen + n > f->written)
        fail("port %ld: %zu bytes %s that nobody sent", number, (size_t)(f->seen + n - f->written), way);
    if (memcmp(data, content_at(kind, f->origin + f->seen), n))
        fail("port %ld: wrong bytes %s at %llu", number, way, (unsigned long long)f->seen);
    f->seen += n;
    if (f->oldest == f->newest)
        return;
    uint64_t at = now();
    for (; f->oldest != f->newest && f->marks[f->oldest % MARKS].end <= f->seen; f->oldest++)
        if (sampling && f->marks[f->oldest % MARKS].at >= wall_start)
            sample(at - f->marks[f->oldest % MARKS].at);
}

static void far_read(struct port *p)
{
    static unsigned char buf[CHUNK];
    ssize_t n = read(p->far, buf, sizeof buf);
    if (n > 0)
        check(p, &p->down, buf, (size_t)n);
    else if (n == 0 || errno != EAGAIN)
        fail("port %ld: the line was hung up", (long)(p - ports));
}

#ifdef WITH_TLS
static ssize_t as_errno(SSL *tls, int result)
{
    if (result > 0)
        return result;
    switch (SSL_get_error(tls, result)) {
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    default:
        errno = ECONNRESET;
        return -1;
    }
}

/* False when there is no TLS to be had. */
static bool secure(struct port *p)
{
    if (!encrypted)
        return true;
    p->tls = SSL_new(context);
    if (!p->tls || !SSL_set_fd(p->tls, p->sock))
        fail("no TLS");
    return SSL_connect(p->tls) == 1;
}

static ssize_t wire_send(struct port *p, const unsigned char *data, size_t n)
{
    return p->tls ? as_errno(p->tls, SSL_write(p->tls, data, (int)n)) : send(p->sock, data, n, MSG_NOSIGNAL);
}

/* A record has 16 KiB at most, which fit: nothing is left in OpenSSL that epoll does not know of. */
static ssize_t wire_recv(struct port *p, unsigned char *data, size_t n)
{
    return p->tls ? as_errno(p->tls, SSL_read(p->tls, data, (int)n)) : recv(p->sock, data, n, 0);
}

static void hang_up(struct port *p)
{
    if (p->tls && SSL_is_init_finished(p->tls))
        SSL_shutdown(p->tls);
    SSL_free(p->tls);
    p->tls = NULL;
    close(p->sock);
}

static void prepare_tls(void)
{
    signal(SIGPIPE, SIG_IGN);
    context = SSL_CTX_new(TLS_client_method());
    if (!context)
        fail("no TLS");
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL); /* it was made a moment ago, for this run */
}
#else
static bool secure(struct port *p) { return p && !encrypted; }

static ssize_t wire_send(struct port *p, const unsigned char *data, size_t n)
{
    return send(p->sock, data, n, MSG_NOSIGNAL);
}

static ssize_t wire_recv(struct port *p, unsigned char *data, size_t n) { return recv(p->sock, data, n, 0); }

static void hang_up(struct port *p) { close(p->sock); }

static void prepare_tls(void) { fail("built without OpenSSL"); }
#endif

static void flush_out(struct port *p)
{
    while (p->out_from < p->out_to) {
        ssize_t n = wire_send(p, p->out + p->out_from, p->out_to - p->out_from);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            fail("port %ld: send: %s", (long)(p - ports), strerror(errno));
        p->out_from += (size_t)n;
    }
    p->out_from = p->out_to = 0;
}

/* Gives false when the gateway has closed the connection. */
static bool sock_read(struct port *p)
{
    static unsigned char buf[CHUNK];
    ssize_t n = wire_recv(p, buf, sizeof buf);
    if (n < 0 && errno == EAGAIN)
        return true;
    if (n <= 0)
        return false;
    size_t data = telnet_decode(&p->telnet, buf, (size_t)n);
    if (p->telnet.reply_len && p->out_to + p->telnet.reply_len <= sizeof p->out) {
        memcpy(p->out + p->out_to, p->telnet.reply, p->telnet.reply_len);
        p->out_to += p->telnet.reply_len;
        p->telnet.reply_len = 0;
        flush_out(p);
    }
    if (courting && p->up.seen + data > p->up.written)
        return false;
    check(p, &p->up, buf, data);
    return true;
}

static size_t write_up(struct port *p, size_t n)
{
    ssize_t done = write(p->far, content_at(kind, p->up.origin + p->up.written), n);
    if (done < 0 && errno != EAGAIN)
        fail("port %ld: line: %s", (long)(p - ports), strerror(errno));
    if (done > 0)
        p->up.written += (size_t)done;
    return done > 0 ? (size_t)done : 0;
}

/* Either all n bytes are sent or kept for sending, or none. */
static size_t write_down(struct port *p, size_t n)
{
    flush_out(p);
    if (p->out_to)
        return 0;
    p->out_to = telnet_encode(&p->telnet, content_at(kind, p->down.origin + p->down.written), n, p->out);
    p->down.written += n;
    flush_out(p);
    return n;
}

static void watch(struct port *p, bool far, bool writing, int how)
{
    struct epoll_event ev = {.events = EPOLLIN | (writing ? EPOLLOUT : 0u),
                             .data.u32 = (uint32_t)(p - ports) << 1 | far};
    if (epoll_ctl(poller, how, far ? p->far : p->sock, &ev))
        fail("epoll_ctl: %s", strerror(errno));
}

static size_t remaining(const struct flow *f)
{
    uint64_t n = f->wanted > f->written ? f->wanted - f->written : 0;
    return n < CHUNK ? (size_t)n : CHUNK;
}

static void bulk_write(struct port *p, bool far)
{
    struct flow *f = far ? &p->up : &p->down;
    size_t n = remaining(f);
    if (n && far)
        write_up(p, n);
    else if (n)
        write_down(p, n);
    else if (!far)
        flush_out(p);
    if (!remaining(f) && (far || !p->out_to))
        watch(p, far, false, EPOLL_CTL_MOD);
}

/* Wait at most `timeout` ns and take what has come; gives the count of events. */
static int pump(uint64_t timeout)
{
    struct epoll_event ready[256];
    struct timespec t = {.tv_sec = (time_t)(timeout / SECOND), .tv_nsec = (long)(timeout % SECOND)};
    int n = epoll_pwait2(poller, ready, 256, &t, NULL);
    for (int i = 0; i < n; i++) {
        struct port *p = ports + (ready[i].data.u32 >> 1);
        bool far = ready[i].data.u32 & 1;
        if (ready[i].events & ~(unsigned)EPOLLOUT) {
            if (far)
                far_read(p);
            else if (!sock_read(p))
                fail("port %ld: the gateway closed the connection", (long)(p - ports));
        }
        if (ready[i].events & EPOLLOUT)
            bulk_write(p, far);
    }
    return n;
}

static void wait_for(struct flow *f)
{
    while (f->seen < f->written)
        if (!pump(PATIENCE * SECOND))
            fail("%llu of %llu bytes never came", (unsigned long long)(f->written - f->seen),
                 (unsigned long long)f->written);
}

static int dial(int tcp_port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)tcp_port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("socket: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct timeval patience = {.tv_sec = 2};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* One attempt at a session; false when the gateway does not listen yet or turns the client away. */
static bool open_session(struct port *p, int tcp_port, bool com_port)
{
    p->sock = dial(tcp_port);
    if (p->sock < 0)
        return false;
    if (!secure(p)) {
        hang_up(p);
        return false;
    }
    p->out_from = 0;
    p->out_to = telnet_open(&p->telnet, spoken, com_port, p->out);
    flush_out(p);
    while (com_port ? !p->telnet.com_port_agreed : !telnet_ready(&p->telnet))
        if (!sock_read(p)) {
            hang_up(p);
            return false;
        }
    return true;
}

/* A gateway may open and flush the line after it has accepted: only a byte that went through shows that it is
 * open. False when the gateway turns the client away instead. */
static bool pass_a_byte(struct port *p, struct flow *f)
{
    struct pollfd both[] = {{.fd = p->far, .events = POLLIN}, {.fd = p->sock, .events = POLLIN}};
    while (f->seen < f->written) {
        if (poll(both, 2, PATIENCE * 1000) < 1)
            return false;
        if (both[1].revents && !sock_read(p))
            return false;
        if (both[0].revents)
            far_read(p);
    }
    return true;
}

static bool court(struct port *p, int tcp_port)
{
    if (!open_session(p, tcp_port, false))
        return false;
    fcntl(p->sock, F_SETFL, O_NONBLOCK);
    write_down(p, 1);
    if (pass_a_byte(p, &p->down) && write_up(p, 1) && pass_a_byte(p, &p->up))
        return true;
    hang_up(p);
    p->down.written = p->down.seen; /* it was dropped with the session */
    p->up.written = p->up.seen;
    return false;
}

static void command_connect(char *args)
{
    char *word;
    courting = true;
    for (connected = 0; connected < port_count && (word = strtok_r(args, " \n", &args)); connected++) {
        struct port *p = ports + connected;
        uint64_t deadline = now() + PATIENCE * SECOND;
        while (!court(p, atoi(word))) {
            if (now() > deadline)
                fail("port %u: no session on TCP port %s", connected, word);
            nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        }
        watch(p, false, false, EPOLL_CTL_ADD);
        watch(p, true, false, EPOLL_CTL_ADD);
    }
    courting = false;
    printf("{\"connected\": %u}\n", connected);
}

static void command_disconnect(void)
{
    for (unsigned i = 0; i < connected; i++) {
        epoll_ctl(poller, EPOLL_CTL_DEL, ports[i].far, NULL);
        hang_up(ports + i);
    }
    connected = 0;
    printf("{}\n");
}

static void command_rtt(size_t size, uint64_t rounds, double seconds)
{
    enum { WARM_UP = 10 };
    struct port *p = ports;
    uint64_t done = 0;
    for (int64_t i = -WARM_UP; i < (int64_t)rounds && (i <= 0 || now() - wall_start < seconds * SECOND); i++) {
        if (i == 0)
            begin();
        uint64_t start = now();
        write_down(p, size);
        wait_for(&p->down);
        for (size_t left = size; left; left -= write_up(p, left))
            if (left < size)
                pump(0);
        wait_for(&p->up);
        if (i >= 0) {
            sample(now() - start);
            done++;
        }
    }
    report(0, done, 0);
}

static void command_bulk(bool up, bool down, uint64_t size)
{
    struct port *p = ports;
    begin();
    if (up) {
        p->up.wanted = p->up.written + size;
        watch(p, true, true, EPOLL_CTL_MOD);
    }
    if (down) {
        p->down.wanted = p->down.written + size;
        watch(p, false, true, EPOLL_CTL_MOD);
    }
    while ((up && p->up.seen < p->up.wanted) || (down && p->down.seen < p->down.wanted))
        if (!pump(PATIENCE * SECOND))
            fail("stuck: %llu bytes to the client, %llu to the line are missing",
                 up ? (unsigned long long)(p->up.wanted - p->up.seen) : 0,
                 down ? (unsigned long long)(p->down.wanted - p->down.seen) : 0);
    report(0, 0, 0);
}

static void mark(struct flow *f, size_t wrote, size_t piece, uint64_t at)
{
    f->overrun += piece - wrote;
    if (!wrote)
        return;
    f->marks[f->newest++ % MARKS] = (struct mark){.end = f->written, .at = at};
}

static void emit(struct port *p, struct flow *f, size_t piece)
{
    uint64_t at = now();
    size_t wrote = 0;
    if (f->newest - f->oldest < MARKS)
        wrote = f == &p->up ? write_up(p, piece) : write_down(p, piece);
    mark(f, wrote, piece, at);
}

/* A flow's own clock: when its next piece is due, in ns, and how many bytes that has. */
struct beat { uint64_t due; size_t size; struct port *port; struct flow *flow; };

static struct beat *beats; /* a heap: none is due before the first */
static size_t beat_count;
static uint64_t dice;

static uint64_t roll(uint64_t below)
{
    dice ^= dice << 13, dice ^= dice >> 7, dice ^= dice << 17; /* xorshift64: the same in every run */
    return dice % below;
}

static void sift_down(size_t i)
{
    struct beat moved = beats[i];
    for (size_t child; (child = 2 * i + 1) < beat_count; i = child) {
        child += child + 1 < beat_count && beats[child + 1].due < beats[child].due;
        if (moved.due <= beats[child].due)
            break;
        beats[i] = beats[child];
    }
    beats[i] = moved;
}

/* A piece comes when a UART has had the time for so many bytes. An uneven one has half as many as said, or half as
 * many more, or anything between. */
static void next_beat(struct beat *beat, size_t piece, double byte_ns, bool uneven)
{
    beat->size = uneven ? piece - piece / 2 + roll(piece / 2 * 2 + 1) : piece;
    beat->due += (uint64_t)((double)beat->size * byte_ns);
}

static void prepare_beats(size_t piece, double byte_ns, bool both, bool uneven)
{
    dice = 0x9e3779b97f4a7c15u;
    beat_count = both ? 2ull * connected : connected;
    beats = realloc(beats, beat_count * sizeof *beats);
    if (!beats)
        fail("out of memory");
    for (size_t i = 0; i < beat_count; i++) {
        struct port *p = ports + (both ? i / 2 : i);
        uint64_t interval = (uint64_t)((double)piece * byte_ns);
        beats[i] = (struct beat){.due = uneven ? roll(interval) : i * interval / beat_count, .size = piece,
                                 .port = p, .flow = both && i % 2 ? &p->down : &p->up};
    }
    for (size_t i = beat_count / 2; i-- > 0;)
        sift_down(i);
}

/* Every port gets its pieces as UARTs deliver them that know nothing of each other: spread evenly over the time of
 * a piece, or at uneven times. A piece is late when the generator itself is a millisecond behind. */
static void command_paced(size_t piece, double baud, bool both, double seconds, bool uneven)
{
    const double warm_up = 0.3, byte_ns = 10 / baud * 1e9;
    uint64_t pieces = 0, due;
    uint64_t start = now(), measured = (uint64_t)(warm_up * 1e9), end = measured + (uint64_t)(seconds * 1e9);
    bool begun = false;
    for (unsigned i = 0; i < connected; i++)
        ports[i].up.overrun = ports[i].down.overrun = 0;
    prepare_beats(piece, byte_ns, both, uneven);
    for (unsigned turn = 0; (due = beats->due) < end;) {
        uint64_t at = now() - start;
        if (!begun && due >= measured) {
            begun = true;
            begin();
            at = now() - start;
        }
        if (at < due) {
            pump(due - at);
            continue;
        }
        pieces += begun;
        was_late(at - due);
        emit(beats->port, beats->flow, beats->size);
        next_beat(beats, piece, byte_ns, uneven);
        sift_down(0);
        if (++turn % 16 == 0)
            pump(0);
    }
    uint64_t lost = 0;
    for (;;) {
        lost = 0;
        for (unsigned i = 0; i < connected; i++) {
            flush_out(ports + i);
            lost += ports[i].up.written - ports[i].up.seen + ports[i].down.written - ports[i].down.seen;
        }
        if (!lost || !pump(PATIENCE * SECOND))
            break;
    }
    for (unsigned i = 0; i < connected; i++)
        lost += ports[i].up.overrun + ports[i].down.overrun;
    report((uint64_t)(seconds * 1e9), pieces, lost);
}

static bool one_visit(struct port *p, int tcp_port)
{
    static const unsigned char request[] = {IAC, SB, COM_PORT, SET_BAUDRATE, 0, 0, 0x25, 0x80, IAC, SE};
    if (!open_session(p, tcp_port, true))
        return false;
    memcpy(p->out, request, sizeof request);
    p->out_to = sizeof request;
    flush_out(p);
    bool open = true;
    while (open && !p->telnet.baud_answered)
        open = sock_read(p);
    hang_up(p);
    return open;
}

static void command_churn(int tcp_port, double seconds)
{
    uint64_t visits = 0, refused = 0;
    courting = true;
    begin();
    while (now() - wall_start < seconds * SECOND) {
        uint64_t start = now();
        if (one_visit(ports, tcp_port)) {
            visits++;
            sample(now() - start);
        } else
            refused++;
    }
    courting = false;
    report(0, visits, refused);
}

static void command_handshakes(int tcp_port, double seconds)
{
    uint64_t done = 0, refused = 0;
    begin();
    while (now() - wall_start < seconds * SECOND) {
        uint64_t start = now();
        if ((ports->sock = dial(tcp_port)) < 0) {
            refused++;
            continue;
        }
        if (secure(ports)) {
            done++;
            sample(now() - start);
        } else
            refused++;
        hang_up(ports);
    }
    report(0, done, refused);
}

static void open_port(struct port *p, uint64_t number)
{
    struct termios tio;
    p->far = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (p->far < 0 || grantpt(p->far) || unlockpt(p->far) || ptsname_r(p->far, p->path, sizeof p->path))
        fail("no PTY: %s", strerror(errno));
    p->line = open(p->path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (p->line < 0 || tcgetattr(p->line, &tio))
        fail("%s: %s", p->path, strerror(errno));
    cfmakeraw(&tio); /* from the first byte on: nothing is echoed or changed, whatever the gateway sets */
    tcsetattr(p->line, TCSANOW, &tio);
    p->up.origin = number * 4099;
    p->down.origin = number * 4099 + RING / 2;
    p->up.marks = malloc(MARKS * sizeof(struct mark));
    p->down.marks = malloc(MARKS * sizeof(struct mark));
    if (!p->up.marks || !p->down.marks)
        fail("out of memory");
}

static void obey(char *line)
{
    char way[8], what[8];
    double seconds, baud;
    unsigned long a, b;
    int pids[PROCESSES], count = sscanf(line, "pid %d %d", pids, pids + 1);
    if (count > 0) {
        gateway_clock_count = (unsigned)count;
        for (int i = 0; i < count; i++)
            if (clock_getcpuclockid(pids[i], gateway_clocks + i))
                fail("no process %d", pids[i]);
        printf("{}\n");
    } else if (!strncmp(line, "connect ", 8))
        command_connect(line + 8);
    else if (!strncmp(line, "disconnect", 10))
        command_disconnect();
    else if (sscanf(line, "rtt %lu %lu %lf", &a, &b, &seconds) == 3 && a <= CHUNK && connected)
        command_rtt(a, b, seconds);
    else if (sscanf(line, "bulk %7s %7s %lu", way, what, &a) == 3 && connected) {
        kind = *what == 't' ? TEXT : *what == 'r' ? RANDOM : ALL_FF;
        command_bulk(strcmp(way, "down") != 0, strcmp(way, "up") != 0, a);
        kind = RANDOM;
    } else if (sscanf(line, "paced %lu %lf %7s %lf", &a, &baud, way, &seconds) == 4 && a && a <= CHUNK / 2 && connected) {
        kind = strstr(line, " text") ? TEXT : RANDOM;
        command_paced(a, baud, !strcmp(way, "both"), seconds, strstr(line, " uneven"));
        kind = RANDOM;
    } else if (sscanf(line, "churn %lu %lf", &a, &seconds) == 2)
        command_churn((int)a, seconds);
    else if (sscanf(line, "handshakes %lu %lf", &a, &seconds) == 2 && encrypted)
        command_handshakes((int)a, seconds);
    else
        fail("not understood: %.*s", (int)strcspn(line, "\n"), line);
}

int main(int argc, char **argv)
{
    encrypted = argc == 4 && !strcmp(argv[3], "tls");
    if (argc != 3 + encrypted || (port_count = (unsigned)atoi(argv[1])) < 1)
        return fputs("usage: load PORTS telnet|raw [tls]\n", stderr), 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    prctl(PR_SET_TIMERSLACK, 1000ul);
    spoken = !strcmp(argv[2], "telnet");
    content_prepare();
    if (encrypted)
        prepare_tls();
    poller = epoll_create1(EPOLL_CLOEXEC);
    ports = calloc(port_count, sizeof *ports);
    if (poller < 0 || !ports)
        fail("no room for %u ports", port_count);
    for (unsigned i = 0; i < port_count; i++) {
        open_port(ports + i, i);
        puts(ports[i].path);
    }
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0)
        obey(line);
    return 0;
}
