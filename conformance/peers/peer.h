/* What the two peers of the transport table have in common: orders on standard input, reports on
 * standard output, and the content of messages, the same as in src/transport/content.rs.
 *
 * The stack's own header is included first, and CAUSE_AT says where the cause of an ABORT stands in
 * sac_info. It provides the functions declared here. */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST = 1 << 20 };

/* To be provided. `stack_receive` waits for a short time at most; it returns the octets read, 0 for
 * none, and sets `whole` at the end of a message or notification. */
static int stack_set(int level, int name, const void *value, size_t length);
static void stack_open(const char *address, int port, int udp_port);
static void stack_connect(const char *address, int port, int udp_port);
static void stack_send(uint32_t ppid, int stream, int flags, const void *data, size_t length);
static size_t stack_receive(void *into, size_t room, int *notification, int *whole, uint32_t *ppid, int *stream);

static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;
static volatile int paused;
static volatile sctp_assoc_t association;

static void report(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&output);
    vprintf(format, arguments);
    putchar('\n');
    fflush(stdout);
    pthread_mutex_unlock(&output);
    va_end(arguments);
}

static void need(int holds, const char *what) {
    if (holds) return;
    report("problem %s: %s", what, strerror(errno));
    exit(1);
}

static void set_sctp(int name, const void *value, size_t length, const char *what) {
    need(!stack_set(IPPROTO_SCTP, name, value, length), what);
}

/* What both stacks are told before they are bound: timers that suit a test, and what to report. */
static void set_options(int family) {
    int on = 1, off = 0, room = 1 << 20;
    struct sctp_event event = {.se_assoc_id = SCTP_ALL_ASSOC, .se_type = SCTP_ASSOC_CHANGE, .se_on = 1};
    struct sctp_rtoinfo rto = {.srto_initial = 200, .srto_min = 100, .srto_max = 1000};
    set_sctp(SCTP_EVENT, &event, sizeof event, "event");
    set_sctp(SCTP_RTOINFO, &rto, sizeof rto, "rto");
    set_sctp(SCTP_RECVRCVINFO, &on, sizeof on, "rcvinfo");
    set_sctp(SCTP_NODELAY, &on, sizeof on, "nodelay");
    /* As far as the stack allows. */
    stack_set(SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    if (family == AF_INET6) stack_set(IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
}

/* An address for a socket of this family, IPv4 in its mapped form if it has to be. */
static socklen_t address_of(struct sockaddr_storage *to, int family, const char *address, int port) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)to;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;
    memset(to, 0, sizeof *to);
    to->ss_family = family;
    if (family == AF_INET) {
        v4->sin_port = htons(port);
        need(inet_pton(AF_INET, address, &v4->sin_addr) == 1, address);
        return sizeof *v4;
    }
    char mapped[64];
    snprintf(mapped, sizeof mapped, "%s%s", strchr(address, ':') ? "" : "::ffff:", address);
    v6->sin6_port = htons(port);
    if (strcmp(address, "any")) need(inet_pton(AF_INET6, mapped, &v6->sin6_addr) == 1, address);
    return sizeof *v6;
}

static void notified(const union sctp_notification *what) {
    if (what->sn_header.sn_type != SCTP_ASSOC_CHANGE) return;
    const struct sctp_assoc_change *change = &what->sn_assoc_change;
    const uint8_t *abort_chunk = (const uint8_t *)change + sizeof *change;
    size_t info = change->sac_length > sizeof *change ? change->sac_length - sizeof *change : 0;
    switch (change->sac_state) {
    case SCTP_RESTART:
        report("down restarted");
        /* fall through */
    case SCTP_COMM_UP:
        association = change->sac_assoc_id;
        report("up");
        break;
    case SCTP_COMM_LOST:
        if (info >= CAUSE_AT + 2) report("down aborted %u", abort_chunk[CAUSE_AT] << 8 | abort_chunk[CAUSE_AT + 1]);
        else if (info) report("down aborted 0");
        else report("down silent");
        break;
    case SCTP_SHUTDOWN_COMP:
        report("down closed");
        break;
    case SCTP_CANT_STR_ASSOC:
        report("failed cannot start the association (%u)", change->sac_error);
        break;
    }
}

static void *receiver(void *unused) {
    static uint8_t buffer[LONGEST];
    size_t length = 0;
    (void)unused;
    for (;;) {
        if (paused) {
            usleep(1000);
            continue;
        }
        int notification = 0, whole = 0, stream = 0;
        uint32_t ppid = 0;
        length += stack_receive(buffer + length, sizeof buffer - length, &notification, &whole, &ppid, &stream);
        if (!length || !whole) continue;
        if (notification) {
            notified((const union sctp_notification *)buffer);
        } else {
            uint64_t digest = 0xcbf29ce484222325;
            for (size_t i = 0; i < length; i++) digest = (digest ^ buffer[i]) * 0x100000001b3;
            report("message %u %d %zu %llu", ppid, stream, length, (unsigned long long)digest);
        }
        length = 0;
    }
    return NULL;
}

static void send_messages(uint32_t ppid, int stream, size_t length, uint32_t first, uint32_t count) {
    static uint8_t buffer[LONGEST];
    for (uint32_t number = first; number < first + count; number++) {
        for (size_t at = 0; at < length; at++) buffer[at] = number * 131 + at * 7 + (at >> 8);
        stack_send(ppid, stream, 0, buffer, length);
    }
}

/* usage: peer ADDRESS|any SCTP-PORT UDP-PORT */
int main(int count, char **arguments) {
    char line[256], address[64];
    unsigned a, b, c, d, e;
    pthread_t thread;
    if (count != 4) return 64;
    stack_open(arguments[1], atoi(arguments[2]), atoi(arguments[3]));
    need(!pthread_create(&thread, NULL, receiver, NULL), "thread");
    report("ready");
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "connect %63s %u %u", address, &a, &b) == 3) stack_connect(address, a, b);
        else if (sscanf(line, "send %u %u %u %u %u", &a, &b, &c, &d, &e) == 5) send_messages(a, b, c, d, e);
        else if (!strncmp(line, "shutdown", 8)) stack_send(0, 0, SCTP_EOF, "", 0);
        else if (!strncmp(line, "abort", 5)) stack_send(0, 0, SCTP_ABORT, "bye", 3);
        else if (!strncmp(line, "pause", 5)) paused = 1;
        else if (!strncmp(line, "resume", 6)) paused = 0;
        else report("problem unknown order %s", line);
    }
    _exit(0);
}
