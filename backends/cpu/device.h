/* An open device of the backend `cpu`, as the files that run its operations see it: cpu.c opens it and sorts operations,
 * products.c, attention.c and arrays.c run them, and chains.c several at once.
 *
 * Threads divide an operation's output: tiles of a product, rows, pieces of an array. Every number is computed by one
 * thread in the canonical order, so how many there are cannot change a bit. Small operations stay on the caller's thread.
 */
#ifndef ADEAD_BACKENDS_CPU_DEVICE_H
#define ADEAD_BACKENDS_CPU_DEVICE_H

#include "cpu.h"
#include "pool.h"

#include "backends/host_memory.h"

typedef struct adead_cpu_device {
    adead_host               host;
    adead_scratch            scratch;
    const adead_cpu_kernels *kernels;
    const char              *variant; /* that was asked for, NULL: none */
    uint32_t                 threads; /* at least 1 */
} adead_cpu_device;

/* Below so many scalar steps (some 20 us of work) waking threads costs more than it gives; a thread's piece of an
 * elementwise operation has so many elements at least. */
enum { ADEAD_CPU_PARALLEL_STEPS = ADEAD_GEMM_ONE_THREAD, ADEAD_CPU_PARALLEL_ELEMENTS = 1 << 15 };

static inline adead_cpu_f32 *adead_cpu_floats(const adead_tensor_op *op, int operand)
{
    return op->operands[operand].memory ? adead_slice_host(&op->operands[operand]) : NULL;
}

static inline uint64_t adead_divide_up(uint64_t a, uint64_t b) { return a / b + (a % b != 0); }

/* Threads that a product is worth. */
static inline uint32_t adead_cpu_product_threads(const adead_cpu_device *device, uint64_t m, uint64_t n, uint64_t k)
{
    return (double)m * (double)n * (double)k < ADEAD_CPU_PARALLEL_STEPS ? 1 : device->threads;
}

/* One function for each group of operations; errors are NO_MEMORY for working memory, and SHAPE_TRAP of an embedding. */
adead_status adead_cpu_run_matmul(adead_cpu_device *device, const adead_tensor_op *op, adead_failure *failure);
adead_status adead_cpu_run_matmul_half(adead_cpu_device *device, const adead_tensor_op *op, adead_failure *failure);
adead_status adead_cpu_run_ffn(adead_cpu_device *device, const adead_tensor_op *op, adead_failure *failure);
adead_status adead_cpu_run_attention(adead_cpu_device *device, const adead_tensor_op *op, adead_failure *failure);
adead_status adead_cpu_run_int8(adead_cpu_device *device, const adead_tensor_op *op, adead_failure *failure);
adead_status adead_cpu_run_array(adead_cpu_device *device, const adead_tensor_op *op, adead_failure *failure);
/* Any operation; and several in this order, as run_many of vm/backend.h says. */
adead_status adead_cpu_run(adead_cpu_device *device, const adead_tensor_op *op, adead_failure *failure);
adead_status adead_cpu_run_many(adead_cpu_device *device, const adead_tensor_op *ops, uint32_t count, uint32_t *done,
                                adead_failure *failure);

/* Elements of an elementwise operation (y: of its second operand, if it has two), and the sum, maximum or place of the
 * maximum of a row. */
void adead_cpu_compute(const adead_cpu_kernels *kernels, const adead_tensor_op *op, const adead_cpu_f32 *x,
                       const adead_cpu_f32 *y, adead_cpu_f32 *to, uint64_t count);
void adead_cpu_reduce_row(const adead_cpu_kernels *kernels, adead_tensor_kind kind, const adead_cpu_f32 *x, uint64_t columns,
                          adead_cpu_f32 *to);

#endif
