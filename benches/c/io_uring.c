/*
 * Operations instead of calls: a multishot accept and recv, which stay; buffers that the
 * kernel takes off a ring when bytes have come; and one send under way for each client, from the
 * buffer that the bytes came in, or they could change their order.
 *
 * Without liburing: four functions stand for what is needed of it, and there is nothing to install
 * but the kernel's header. Linux 6.1.
 */
#include "common.h"
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { SUBMISSIONS = 1024, CLIENTS = 1 << 16, GROUP = 0, NONE = -1 };

enum operation { ACCEPT, RECV, SEND };

/* ---- the two rings */

static int ring_fd;
static unsigned to_submit;
static struct io_uring_sqe *sqes;
static struct io_uring_cqe *cqes;
static unsigned *sq_tail, sq_mask, *cq_head, *cq_tail, cq_mask;

static void *map(size_t size, int fd, off_t offset)
{
    int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED | MAP_POPULATE;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, offset);
    if (memory == MAP_FAILED)
        err(1, "mmap");
    return memory;
}

static void set_up(void)
{
    /* One thread does everything, and completions are worked out when it asks for them. */
    struct io_uring_params params = { .flags = IORING_SETUP_SINGLE_ISSUER
                                               | IORING_SETUP_DEFER_TASKRUN };
    ring_fd = syscall(SYS_io_uring_setup, SUBMISSIONS, &params);
    if (ring_fd < 0)
        err(1, "io_uring_setup");
    if (!(params.features & IORING_FEAT_SINGLE_MMAP))
        errx(1, "io_uring: this kernel is too old");
    size_t sq_size = params.sq_off.array + params.sq_entries * sizeof(unsigned);
    size_t cq_size = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    char *rings = map(sq_size > cq_size ? sq_size : cq_size, ring_fd, IORING_OFF_SQ_RING);
    sqes = map(params.sq_entries * sizeof *sqes, ring_fd, IORING_OFF_SQES);
    sq_tail = (unsigned *)(rings + params.sq_off.tail);
    sq_mask = params.sq_entries - 1;
    cq_head = (unsigned *)(rings + params.cq_off.head);
    cq_tail = (unsigned *)(rings + params.cq_off.tail);
    cq_mask = params.cq_entries - 1;
    cqes = (struct io_uring_cqe *)(rings + params.cq_off.cqes);
    unsigned *array = (unsigned *)(rings + params.sq_off.array);
    for (unsigned i = 0; i < params.sq_entries; i++)
        array[i] = i; /* place i of the ring is entry i, always */
}

/* Hands over what is to be submitted, and waits for so many completions. */
static void enter(unsigned wanted)
{
    int n = syscall(SYS_io_uring_enter, ring_fd, to_submit, wanted, IORING_ENTER_GETEVENTS, NULL,
                    0);
    if (n >= 0)
        to_submit -= n;
    else if (errno != EINTR && errno != EAGAIN && errno != EBUSY)
        err(1, "io_uring_enter");
}

static struct io_uring_sqe *next_sqe(enum operation operation, int fd)
{
    while (to_submit > sq_mask)
        enter(0);
    unsigned tail = *sq_tail;
    struct io_uring_sqe *sqe = &sqes[tail & sq_mask];
    memset(sqe, 0, sizeof *sqe);
    sqe->fd = fd;
    sqe->user_data = (uint64_t)operation << 32 | (unsigned)fd;
    /* The kernel looks when we enter, not before: the caller may still fill it. */
    atomic_store_explicit((_Atomic unsigned *)sq_tail, tail + 1, memory_order_release);
    to_submit++;
    return sqe;
}

/* ---- the ring of buffers */

static struct io_uring_buf_ring *heap;
static char *memory;
static size_t size;
static int buffers;

static char *bytes(int buffer)
{
    return memory + buffer * size;
}

static void give_back(int buffer)
{
    unsigned short tail = heap->tail;
    struct io_uring_buf *entry = &heap->bufs[tail & (buffers - 1)];
    entry->addr = (uintptr_t)bytes(buffer);
    entry->len = size;
    entry->bid = buffer;
    atomic_store_explicit((_Atomic unsigned short *)&heap->tail, tail + 1, memory_order_release);
}

static void make_buffers(void)
{
    /* More than about a megabyte would no longer stay in the processor's cache. */
    for (buffers = 512; buffers > 16 && buffers * size > 512 * 1024; buffers /= 2)
        ;
    memory = map(buffers * size, NONE, 0);
    heap = map(buffers * sizeof(struct io_uring_buf), NONE, 0);
    struct io_uring_buf_reg reg = { .ring_addr = (uintptr_t)heap,
                                    .ring_entries = buffers,
                                    .bgid = GROUP };
    if (syscall(SYS_io_uring_register, ring_fd, IORING_REGISTER_PBUF_RING, &reg, 1) < 0)
        err(1, "io_uring_register");
    for (int i = 0; i < buffers; i++)
        give_back(i);
}

/* ---- the clients, by the number of their socket */

struct client {
    bool receiving; /* its recv is under way */
    bool ended;     /* the client sends no more, or cannot receive an answer */
    bool waiting;   /* for a buffer: it is on the list of those */
    int first, last; /* its answers, as buffers: the first is being sent */
};

static struct client *clients;
/* What is in a buffer and not sent yet, and which answer of the same client comes behind it. */
static struct { unsigned from, to; int next; } answers[512];
/* Who found no buffer. */
static int *waiting, waiting_count;

static void accept_them(int listener)
{
    struct io_uring_sqe *sqe = next_sqe(ACCEPT, listener);
    sqe->opcode = IORING_OP_ACCEPT;
    sqe->ioprio = IORING_ACCEPT_MULTISHOT;
    sqe->accept_flags = SOCK_CLOEXEC;
}

static void receive(int fd)
{
    struct io_uring_sqe *sqe = next_sqe(RECV, fd);
    sqe->opcode = IORING_OP_RECV;
    sqe->ioprio = IORING_RECV_MULTISHOT;
    sqe->flags = IOSQE_BUFFER_SELECT;
    sqe->buf_group = GROUP;
    clients[fd].receiving = true;
}

static void send_first(int fd)
{
    int buffer = clients[fd].first;
    struct io_uring_sqe *sqe = next_sqe(SEND, fd);
    sqe->opcode = IORING_OP_SEND;
    sqe->addr = (uintptr_t)bytes(buffer) + answers[buffer].from;
    sqe->len = answers[buffer].to - answers[buffer].from;
    sqe->msg_flags = MSG_NOSIGNAL;
}

static void close_if_done(int fd)
{
    struct client *client = &clients[fd];
    if (client->ended && !client->receiving && !client->waiting && client->first == NONE)
        close(fd);
}

/* A buffer is free: who waited for one receives again. */
static void done_with(int buffer)
{
    give_back(buffer);
    if (waiting_count > 0) {
        int fd = waiting[--waiting_count];
        clients[fd].waiting = false;
        if (clients[fd].ended)
            close_if_done(fd);
        else
            receive(fd);
    }
}

static void received(int fd, struct io_uring_cqe *cqe)
{
    struct client *client = &clients[fd];
    if (!(cqe->flags & IORING_CQE_F_MORE))
        client->receiving = false;
    if (cqe->res > 0) {
        int buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
        answers[buffer].from = 0;
        answers[buffer].to = cqe->res;
        answers[buffer].next = NONE;
        if (client->ended) {
            done_with(buffer);
        } else if (client->first == NONE) {
            client->first = client->last = buffer;
            send_first(fd);
        } else {
            answers[client->last].next = buffer;
            client->last = buffer;
        }
    } else if (cqe->res != -ENOBUFS && cqe->res != -EINTR) {
        client->ended = true; /* 0, or its connection has failed */
    }
    if (client->receiving || client->ended) {
        close_if_done(fd);
    } else if (cqe->res == -ENOBUFS) {
        client->waiting = true;
        waiting[waiting_count++] = fd;
    } else {
        receive(fd);
    }
}

static void sent(int fd, struct io_uring_cqe *cqe)
{
    struct client *client = &clients[fd];
    int buffer = client->first;
    if (cqe->res >= 0) {
        answers[buffer].from += cqe->res;
        if (answers[buffer].from < answers[buffer].to) {
            send_first(fd); /* the rest */
            return;
        }
    } else if (cqe->res != -EINTR) {
        shutdown(fd, SHUT_RDWR); /* this also ends its recv */
        client->ended = true;
    }
    do {
        client->first = answers[buffer].next;
        done_with(buffer);
        buffer = client->first;
    } while (client->ended && cqe->res < 0 && buffer != NONE);
    if (client->first != NONE)
        send_first(fd);
    close_if_done(fd);
}

static void accepted(int listener, struct io_uring_cqe *cqe)
{
    int fd = cqe->res;
    if (!(cqe->flags & IORING_CQE_F_MORE))
        accept_them(listener);
    if (fd == -EBADF || fd == -EINVAL)
        errx(1, "accept: %s", strerror(-fd));
    if (fd < 0)
        return; /* it is gone */
    if (fd >= CLIENTS) {
        close(fd);
        return;
    }
    clients[fd] = (struct client){ .first = NONE, .last = NONE };
    receive(fd);
}

int main(int argc, char **argv)
{
    int listener = open_server(argc, argv, SOCK_STREAM);
    size = buffer_size(argc, argv);
    set_up();
    make_buffers();
    clients = map(CLIENTS * sizeof *clients, NONE, 0);
    waiting = map(CLIENTS * sizeof *waiting, NONE, 0);
    accept_them(listener);
    for (;;) {
        enter(1);
        unsigned head = *cq_head;
        while (head != atomic_load_explicit((_Atomic unsigned *)cq_tail, memory_order_acquire)) {
            struct io_uring_cqe cqe = cqes[head & cq_mask];
            /* Its place is the kernel's again: it may be needed while we submit. */
            atomic_store_explicit((_Atomic unsigned *)cq_head, ++head, memory_order_release);
            int fd = (int)cqe.user_data;
            switch ((enum operation)(cqe.user_data >> 32)) {
            case ACCEPT: accepted(fd, &cqe); break;
            case RECV: received(fd, &cqe); break;
            case SEND: sent(fd, &cqe); break;
            }
        }
    }
}
