/* usrsctp as a peer of the transport table: cc usrsctp.c -lusrsctp -lpthread */

#include <usrsctp.h>
/* The whole chunk is there. */
enum { CAUSE_AT = 4 };

#include "peer.h"

static struct socket *endpoint;
static int family;

static int stack_set(int level, int name, const void *value, size_t length) {
    return usrsctp_setsockopt(endpoint, level, name, value, length);
}

static void stack_open(const char *address, int port, int udp_port) {
    struct sockaddr_storage local;
    usrsctp_init(udp_port, NULL, NULL);
    usrsctp_sysctl_set_sctp_no_csum_on_loopback(0);
    usrsctp_sysctl_set_sctp_asconf_enable(0);
    family = strchr(address, '.') ? AF_INET : AF_INET6;
    endpoint = usrsctp_socket(family, SOCK_SEQPACKET, IPPROTO_SCTP, NULL, NULL, 0, NULL);
    need(endpoint != NULL, "socket");
    usrsctp_set_non_blocking(endpoint, 1);
    set_options(family);
    socklen_t length = address_of(&local, family, address, port);
    need(!usrsctp_bind(endpoint, (struct sockaddr *)&local, length), "bind");
    need(!usrsctp_listen(endpoint, 10), "listen");
}

static void stack_connect(const char *address, int port, int udp_port) {
    struct sockaddr_storage remote;
    struct sctp_udpencaps udp = {.sue_port = htons(udp_port)};
    udp.sue_address.ss_family = family;
    set_sctp(SCTP_REMOTE_UDP_ENCAPS_PORT, &udp, sizeof udp, "encapsulation");
    socklen_t length = address_of(&remote, family, address, port);
    int result = usrsctp_connect(endpoint, (struct sockaddr *)&remote, length);
    if (result < 0 && errno != EINPROGRESS) report("failed connect: %s", strerror(errno));
}

static void stack_send(uint32_t ppid, int stream, int flags, const void *data, size_t length) {
    struct sctp_sndinfo info = {
        .snd_sid = stream, .snd_ppid = htonl(ppid), .snd_flags = flags, .snd_assoc_id = association};
    while (usrsctp_sendv(endpoint, data, length, NULL, 0, &info, sizeof info, SCTP_SENDV_SNDINFO, 0) < 0) {
        if (errno != EWOULDBLOCK && errno != EAGAIN) {
            report("problem send: %s", strerror(errno));
            return;
        }
        usleep(1000);
    }
}

static size_t stack_receive(void *into, size_t room, int *notification, int *whole, uint32_t *ppid, int *stream) {
    struct sctp_rcvinfo info;
    socklen_t size = sizeof info, from = 0;
    unsigned type = 0;
    int flags = 0;
    ssize_t got = usrsctp_recvv(endpoint, into, room, NULL, &from, &info, &size, &type, &flags);
    if (got <= 0) {
        usleep(500);
        return 0;
    }
    *notification = flags & MSG_NOTIFICATION;
    *whole = flags & MSG_EOR;
    if (type == SCTP_RECVV_RCVINFO) {
        *ppid = ntohl(info.rcv_ppid);
        *stream = info.rcv_sid;
    }
    return got;
}
