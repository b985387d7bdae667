/* The SCTP of the Linux kernel as a peer of the transport table: cc -static linux.c -lpthread
 *
 * The UDP port is the kernel's, net.sctp.udp_port; the argument says nothing here. */

#include <sys/socket.h>
#include <netinet/in.h>
#include <linux/sctp.h>
#include <stddef.h>
/* Only what is behind the header of the chunk is there. */
enum { CAUSE_AT = 0 };

#include "peer.h"

static int endpoint, family;

static int stack_set(int level, int name, const void *value, size_t length) {
    return setsockopt(endpoint, level, name, value, length);
}

static void stack_open(const char *address, int port, int udp_port) {
    struct sockaddr_storage local;
    struct linger at_once = {.l_onoff = 1};
    (void)udp_port;
    family = strchr(address, '.') ? AF_INET : AF_INET6;
    endpoint = socket(family, SOCK_SEQPACKET | SOCK_NONBLOCK, IPPROTO_SCTP);
    need(endpoint >= 0, "socket");
    set_options(family);
    /* The next peer wants the port when this one is killed. */
    stack_set(SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    socklen_t length = address_of(&local, family, address, port);
    need(!bind(endpoint, (struct sockaddr *)&local, length), "bind");
    need(!listen(endpoint, 10), "listen");
}

static void stack_connect(const char *address, int port, int udp_port) {
    struct sockaddr_storage remote;
    struct sctp_udpencaps udp = {.sue_port = htons(udp_port)};
    udp.sue_address.ss_family = AF_INET;
    set_sctp(SCTP_REMOTE_UDP_ENCAPS_PORT, &udp, sizeof udp, "encapsulation");
    socklen_t length = address_of(&remote, family, address, port);
    int result = connect(endpoint, (struct sockaddr *)&remote, length);
    if (result < 0 && errno != EINPROGRESS) report("failed connect: %s", strerror(errno));
}

static void wait_for(short events) {
    struct pollfd ready = {.fd = endpoint, .events = events};
    poll(&ready, 1, 10);
}

static void stack_send(uint32_t ppid, int stream, int flags, const void *data, size_t length) {
    union {
        char octets[CMSG_SPACE(sizeof(struct sctp_sndinfo))];
        struct cmsghdr aligned;
    } control = {0};
    struct iovec piece = {.iov_base = (void *)data, .iov_len = length};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1,
        .msg_control = &control, .msg_controllen = sizeof control.octets};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = IPPROTO_SCTP;
    header->cmsg_type = SCTP_SNDINFO;
    header->cmsg_len = CMSG_LEN(sizeof(struct sctp_sndinfo));
    struct sctp_sndinfo *info = (struct sctp_sndinfo *)CMSG_DATA(header);
    info->snd_sid = stream;
    info->snd_ppid = htonl(ppid);
    info->snd_flags = flags;
    info->snd_assoc_id = association;
    while (sendmsg(endpoint, &message, MSG_NOSIGNAL) < 0) {
        if (errno != EAGAIN) {
            report("problem send: %s", strerror(errno));
            return;
        }
        wait_for(POLLOUT);
    }
}

static size_t stack_receive(void *into, size_t room, int *notification, int *whole, uint32_t *ppid, int *stream) {
    char control[256];
    struct iovec piece = {.iov_base = into, .iov_len = room};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1,
        .msg_control = control, .msg_controllen = sizeof control};
    wait_for(POLLIN);
    ssize_t got = recvmsg(endpoint, &message, MSG_DONTWAIT);
    if (got <= 0) return 0;
    *notification = message.msg_flags & MSG_NOTIFICATION;
    *whole = message.msg_flags & MSG_EOR;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != IPPROTO_SCTP || header->cmsg_type != SCTP_RCVINFO) continue;
        struct sctp_rcvinfo *info = (struct sctp_rcvinfo *)CMSG_DATA(header);
        *ppid = ntohl(info->rcv_ppid);
        *stream = info->rcv_sid;
    }
    return got;
}
