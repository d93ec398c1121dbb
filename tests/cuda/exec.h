/* What runs a block: its warps, its shared memory with a state for each word, what is pending. */
#ifndef TESTS_CUDA_EXEC_H
#define TESTS_CUDA_EXEC_H

#include "tests/cuda/ptx.h"

/* A copy by cp.async that nobody has waited for: its bytes are written when it is waited for. */
typedef struct pending {
    uint32_t      lane, offset, size, group;
    unsigned char bytes[16];
} pending;

typedef enum warp_status { WARP_READY, WARP_BARRIER, WARP_DONE, WARP_FAILED } warp_status;

typedef struct warp {
    unsigned char *frame;
    uint32_t       first; /* thread */
    uint32_t       live, mask, waiting, pc, other;
    bool           forced;
    uint32_t       lane_pc[LANES];
    warp_status    status;
    uint32_t       groups[LANES];
    pending       *pending;
    uint32_t       pending_count, pending_room;
} warp;

/* State of a word of shared memory, or of a byte where a word is split: the barrier interval of the last access, whether it
 * was ever written, who wrote and who read in that interval (thread + 1, or MANY). */
enum {
    STATE_EPOCH = 0xFF000000u,
    STATE_WRITTEN = 1u << 23,
    STATE_SPLIT = 1u << 22,
    STATE_WRITER = 11,
    STATE_SEVERAL = 1100,
    STATE_SYNCED = 1200,
    STATE_MANY = 2047,
    STATE_WHO = 2047
};

typedef struct worker {
    const launch  *launch;
    const kernel  *kernel;
    unsigned char *frames, *shared, *local, *local_written;
    uint32_t      *words, *bytes; /* states of shared memory */
    uint32_t       shared_bytes, epoch;
    uint32_t       threads, warp_count;
    warp           warps[MAX_WARPS];
    uint32_t       block[3];
    uint64_t       block_number, instructions, branches;
    unsigned char *const_params;
    int            code; /* of the first error */
    uint64_t       failed_block;
    char           message[640];
} worker;

void exec_fail(worker *k, const warp *w, const insn *in, int lane, int code, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* One access of one thread, checked: the bytes, or NULL after exec_fail. */
unsigned char *exec_access(worker *k, warp *w, const insn *in, int lane, space where, uint64_t address, uint32_t size,
                           bool write);
bool exec_shared_slow(worker *k, warp *w, const insn *in, int lane, uint32_t offset, uint32_t size, bool write);
bool exec_copy_async(worker *k, warp *w, const insn *in, uint32_t mask);
bool exec_copy_wait(worker *k, warp *w, const insn *in, uint32_t mask);
bool exec_matrix(worker *k, warp *w, const insn *in);
bool exec_load_matrix(worker *k, warp *w, const insn *in);
bool exec_atomic(worker *k, warp *w, const insn *in, uint32_t mask);
bool exec_warp(worker *k, warp *w, const insn *in, uint32_t mask);
bool exec_reschedule(worker *k, warp *w);

static inline uint64_t lane_address(const warp *w, const insn *in, uint32_t slot, int lane)
{
    if (in->e) return ((const uint32_t *)(const void *)(w->frame + slot))[lane] + (uint64_t)in->imm;
    return ((const uint64_t *)(const void *)(w->frame + slot))[lane] + (uint64_t)in->imm;
}

#endif
