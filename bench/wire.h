/* What goes over the wires: content whose every byte is known by its position, and a small Telnet client codec. */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RING = 1 << 20, CHUNK = 1 << 16 };

enum content { TEXT, RANDOM, ALL_FF, CONTENTS };

void content_prepare(void);
/* The byte values from `position` on; at least CHUNK of them can be read. */
const unsigned char *content_at(enum content kind, uint64_t position);

enum { IAC = 255, DONT = 254, DO = 253, WONT = 252, WILL = 251, SB = 250, SE = 240 };
enum { BINARY = 0, ECHO_OPTION = 1, SGA = 3, COM_PORT = 44 };
enum { SET_BAUDRATE = 1, ANSWER = 100 };

/* A client's half of a Telnet connection: no more of it than the benchmark needs. */
struct telnet {
    bool spoken;     /* false: the connection is plain TCP */
    bool com_port;   /* offer COM-PORT too */
    int state;
    unsigned char verb;
    bool may_send_binary, peer_sends_binary, com_port_agreed;
    bool baud_answered;
    unsigned char sub[64]; /* the subnegotiation under way; longer ones are cut */
    size_t sub_len;
    unsigned char reply[256]; /* refusals waiting to be sent */
    size_t reply_len;
};

/* Write the opening offers to `out` (room for 32); gives their length. */
size_t telnet_open(struct telnet *t, bool spoken, bool com_port, unsigned char *out);
/* Take the Telnet out of buf[0..n), in place; gives the count of data bytes left. */
size_t telnet_decode(struct telnet *t, unsigned char *buf, size_t n);
/* Put n data bytes as Telnet into out (room for 2 n); gives the length. */
size_t telnet_encode(const struct telnet *t, const unsigned char *data, size_t n, unsigned char *out);
bool telnet_ready(const struct telnet *t);

#endif
