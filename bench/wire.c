#include "wire.h"

#include <stdio.h>
#include <string.h>

static unsigned char ring[CONTENTS][RING + CHUNK];

void content_prepare(void)
{
    size_t at = 0;
    for (unsigned line = 0; at < RING; line++) {
        char text[96];
        int n = snprintf(text, sizeof text, "%07u VOLT %u.%03u;CURR %u.%04u;the quick brown fox\r\n",
                         line, line % 60, line * 7 % 1000, line % 5, line * 13 % 10000);
        for (int i = 0; i < n && at < RING; i++)
            ring[TEXT][at++] = (unsigned char)text[i];
    }
    uint64_t x = 0x9e3779b97f4a7c15u; /* xorshift64: the same bytes in every run */
    for (at = 0; at < RING; at++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        ring[RANDOM][at] = (unsigned char)(x >> 32);
    }
    memset(ring[ALL_FF], 0xff, sizeof ring[ALL_FF]);
    for (int kind = 0; kind < CONTENTS; kind++)
        memcpy(ring[kind] + RING, ring[kind], CHUNK);
}

const unsigned char *content_at(enum content kind, uint64_t position)
{
    return ring[kind] + position % RING;
}

enum { DATA, COMMAND, OPTION, SUB, SUB_COMMAND };

size_t telnet_open(struct telnet *t, bool spoken, bool com_port, unsigned char *out)
{
    static const unsigned char offers[] = {IAC, WILL, BINARY, IAC, DO, BINARY, IAC, WILL, SGA, IAC, DO, SGA};
    memset(t, 0, sizeof *t);
    t->spoken = spoken;
    t->com_port = com_port;
    if (!spoken)
        return 0;
    memcpy(out, offers, sizeof offers);
    size_t n = sizeof offers;
    if (com_port) {
        out[n++] = IAC, out[n++] = WILL, out[n++] = COM_PORT;
    }
    return n;
}

/* Offers were made at the start, so agreement needs no answer; everything else is refused. */
static void negotiate(struct telnet *t, unsigned char verb, unsigned char option)
{
    unsigned char refusal = verb == WILL ? DONT : WONT;
    if (verb == DO && option == BINARY)
        t->may_send_binary = true;
    else if (verb == WILL && option == BINARY)
        t->peer_sends_binary = true;
    else if (verb == DO && option == COM_PORT && t->com_port)
        t->com_port_agreed = true;
    else if (option != SGA && (verb == DO || verb == WILL) && t->reply_len + 3 <= sizeof t->reply) {
        t->reply[t->reply_len++] = IAC;
        t->reply[t->reply_len++] = refusal;
        t->reply[t->reply_len++] = option;
    }
}

size_t telnet_decode(struct telnet *t, unsigned char *buf, size_t n)
{
    if (!t->spoken)
        return n;
    size_t kept = 0;
    for (size_t i = 0; i < n;) {
        if (t->state == DATA && buf[i] != IAC) {
            unsigned char *next = memchr(buf + i, IAC, n - i);
            size_t span = next ? (size_t)(next - buf) - i : n - i;
            memmove(buf + kept, buf + i, span);
            kept += span, i += span;
            continue;
        }
        unsigned char c = buf[i++];
        switch (t->state) {
        case DATA:
            t->state = COMMAND;
            break;
        case COMMAND:
            t->state = DATA;
            if (c == IAC)
                buf[kept++] = IAC;
            else if (c == SB)
                t->state = SUB, t->sub_len = 0;
            else if (c >= WILL && c <= DONT)
                t->state = OPTION, t->verb = c;
            break;
        case OPTION:
            negotiate(t, t->verb, c);
            t->state = DATA;
            break;
        case SUB:
            if (c == IAC)
                t->state = SUB_COMMAND;
            else if (t->sub_len < sizeof t->sub)
                t->sub[t->sub_len++] = c;
            break;
        case SUB_COMMAND:
            t->state = SUB;
            if (c == IAC && t->sub_len < sizeof t->sub)
                t->sub[t->sub_len++] = c;
            if (c == SE) {
                t->state = DATA;
                if (t->sub_len == 6 && t->sub[0] == COM_PORT && t->sub[1] == SET_BAUDRATE + ANSWER)
                    t->baud_answered = true;
            }
            break;
        }
    }
    return kept;
}

size_t telnet_encode(const struct telnet *t, const unsigned char *data, size_t n, unsigned char *out)
{
    if (!t->spoken) {
        memcpy(out, data, n);
        return n;
    }
    unsigned char *to = out;
    const unsigned char *end = data + n;
    while (data < end) {
        if (*data == IAC) {
            *to++ = IAC, *to++ = IAC, data++;
            continue;
        }
        const unsigned char *next = memchr(data, IAC, (size_t)(end - data));
        size_t span = (size_t)((next ? next : end) - data);
        memcpy(to, data, span);
        to += span, data += span;
    }
    return (size_t)(to - out);
}

bool telnet_ready(const struct telnet *t)
{
    return !t->spoken || (t->may_send_binary && t->peer_sends_binary);
}
