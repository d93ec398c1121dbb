/* A library for the benchmark `cpu`: calls adead and its peers in turn and takes the time of each.
 *
 * Python prepares a `contest_call` for each contestant: a loop of this file, the function it is to call and its arguments.
 * contest_run goes round and round through the contestants; what it times is C calling C, without Python in between. All of
 * them, adead too, are shared libraries that Python has loaded; every function is given as an address.
 */
#include "ffi/include/adead.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#pragma GCC visibility push(default) /* Python finds everything here by name */

enum { POINTERS = 8, NUMBERS = 20, SCALARS = 4 };

typedef struct contest_call {
    void (*loop)(const struct contest_call *call, uint64_t times);
    void (*function)(void);
    void    *pointers[POINTERS];
    int64_t  numbers[NUMBERS];
    float    scalars[SCALARS];
    uint32_t failed; /* set by a loop whose function reported an error */
    uint64_t first;  /* nanoseconds of the first call */
} contest_call;

/* ---- BLAS ---- */

enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };

typedef void cblas_sgemm_function(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
                                  const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);
typedef void cblas_sgemv_function(int order, int transpose, int m, int n, float alpha, const float *a, int lda,
                                  const float *x, int x_step, float beta, float *y, int y_step);
typedef void bli_sgemm_function(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, const float *alpha,
                                const float *a, int64_t a_row, int64_t a_column, const float *b, int64_t b_row,
                                int64_t b_column, const float *beta, float *c, int64_t c_row, int64_t c_column);
typedef int  dnnl_sgemm_function(char ta, char tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
                                 const float *b, int64_t ldb, float beta, float *c, int64_t ldc);

/* numbers: m n k transpose_a transpose_b (0 or 1); pointers: a b c, dense; c[m,n] = op(a) op(b). */
typedef struct product {
    int64_t m, n, k, ta, tb, lda, ldb;
    float  *a, *b, *c;
} product;

static product product_of(const contest_call *call)
{
    product p = {.m = call->numbers[0],
                 .n = call->numbers[1],
                 .k = call->numbers[2],
                 .ta = call->numbers[3],
                 .tb = call->numbers[4],
                 .a = call->pointers[0],
                 .b = call->pointers[1],
                 .c = call->pointers[2]};
    p.lda = p.ta ? p.m : p.k;
    p.ldb = p.tb ? p.k : p.n;
    return p;
}

void contest_cblas_sgemm(const contest_call *call, uint64_t times)
{
    cblas_sgemm_function *f = (cblas_sgemm_function *)call->function;
    product               p = product_of(call);
    int                   ta = p.ta ? TRANSPOSE : NO_TRANSPOSE, tb = p.tb ? TRANSPOSE : NO_TRANSPOSE;
    int                   m = (int)p.m, n = (int)p.n, k = (int)p.k, lda = (int)p.lda, ldb = (int)p.ldb;
    while (times--) f(ROW_MAJOR, ta, tb, m, n, k, 1.0f, p.a, lda, p.b, ldb, 0.0f, p.c, n);
}

/* The product with m = 1 as the matrix b times a vector, with n = 1 as the matrix a times a vector. */
void contest_cblas_sgemv(const contest_call *call, uint64_t times)
{
    cblas_sgemv_function *f = (cblas_sgemv_function *)call->function;
    product               p = product_of(call);
    int                   k = (int)p.k, m = (int)p.m, n = (int)p.n;
    while (times--) {
        if (m == 1 && p.tb)
            f(ROW_MAJOR, NO_TRANSPOSE, n, k, 1.0f, p.b, k, p.a, 1, 0.0f, p.c, 1);
        else if (m == 1)
            f(ROW_MAJOR, TRANSPOSE, k, n, 1.0f, p.b, n, p.a, 1, 0.0f, p.c, 1);
        else
            f(ROW_MAJOR, NO_TRANSPOSE, m, k, 1.0f, p.a, k, p.b, 1, 0.0f, p.c, 1);
    }
}

void contest_bli_sgemm(const contest_call *call, uint64_t times)
{
    enum { BLIS_TRANSPOSE = 8 };
    bli_sgemm_function *f = (bli_sgemm_function *)call->function;
    product             p = product_of(call);
    float               one = 1.0f, zero = 0.0f;
    while (times--)
        f(p.ta ? BLIS_TRANSPOSE : 0, p.tb ? BLIS_TRANSPOSE : 0, p.m, p.n, p.k, &one, p.a, p.lda, 1, p.b, p.ldb, 1, &zero,
          p.c, p.n, 1);
}

void contest_dnnl_sgemm(const contest_call *call, uint64_t times)
{
    dnnl_sgemm_function *f = (dnnl_sgemm_function *)call->function;
    product              p = product_of(call);
    int                  status = 0;
    while (times--)
        status |= f(p.ta ? 'T' : 'N', p.tb ? 'T' : 'N', p.m, p.n, p.k, 1.0f, p.a, p.lda, p.b, p.ldb, 0.0f, p.c, p.n);
    if (status) ((contest_call *)call)->failed = 1;
}

/* ---- int8 ---- */

typedef void mkl_s8u8s32_function(int order, int transpose_a, int transpose_b, int offset_kind, int m, int n, int k,
                                  float alpha, const void *a, int lda, int8_t oa, const void *b, int ldb, int8_t ob,
                                  float beta, int32_t *c, int ldc, const int32_t *oc);
typedef void mkl_s8u8s32_compute_function(int order, int transpose_a, int transpose_b, int offset_kind, int m, int n, int k,
                                          float alpha, const void *a, int lda, int8_t oa, const void *b, int ldb, int8_t ob,
                                          float beta, int32_t *c, int ldc, const int32_t *oc);
typedef int  dnnl_s8s8s32_function(char transpose_a, char transpose_b, char offset_kind, int64_t m, int64_t n, int64_t k,
                                   float alpha, const int8_t *a, int64_t lda, int8_t oa, const int8_t *b, int64_t ldb,
                                   int8_t ob, float beta, int32_t *c, int64_t ldc, const int32_t *oc);

enum { CBLAS_PACKED = 151, CBLAS_FIX_OFFSET = 173 };

/* Row-major cblas_gemm_s8u8s32 takes a unsigned and b signed. numbers[5]: b was packed. */
void contest_mkl_int8(const contest_call *call, uint64_t times)
{
    mkl_s8u8s32_function *f = (mkl_s8u8s32_function *)call->function;
    int                   m = (int)call->numbers[0], n = (int)call->numbers[1], k = (int)call->numbers[2];
    int                   tb = call->numbers[5] ? CBLAS_PACKED : NO_TRANSPOSE;
    int32_t               zero = 0;
    while (times--)
        f(ROW_MAJOR, NO_TRANSPOSE, tb, CBLAS_FIX_OFFSET, m, n, k, 1.0f, call->pointers[0], k, 0, call->pointers[1], n, 0,
          0.0f, call->pointers[2], n, &zero);
}

void contest_dnnl_int8(const contest_call *call, uint64_t times)
{
    dnnl_s8s8s32_function *f = (dnnl_s8s8s32_function *)call->function;
    int64_t                m = call->numbers[0], n = call->numbers[1], k = call->numbers[2];
    int32_t                zero = 0;
    int                    status = 0;
    while (times--)
        status |= f('N', 'N', 'F', m, n, k, 1.0f, call->pointers[0], k, 0, call->pointers[1], n, 0, 0.0f, call->pointers[2],
                    n, &zero);
    if (status) ((contest_call *)call)->failed = 1;
}

/* ---- oneDNN's primitives ---- */

typedef struct dnnl_argument {
    int   number;
    void *memory;
} dnnl_argument;
typedef int dnnl_execute_function(const void *primitive, void *stream, int count, const dnnl_argument *arguments);
typedef int dnnl_wait_function(void *stream);

/* pointers: stream, dnnl_stream_wait, then for each of numbers[0] (1 or 2) primitives: primitive, its arguments;
 * numbers[1], numbers[2]: how many arguments. All before was prepared by Python: only the execution is timed. */
void contest_dnnl_execute(const contest_call *call, uint64_t times)
{
    dnnl_execute_function *execute = (dnnl_execute_function *)call->function;
    dnnl_wait_function    *wait = (dnnl_wait_function *)(uintptr_t)call->pointers[1];
    int                    status = 0;
    while (times--) {
        for (int i = 0; i < call->numbers[0]; i++)
            status |=
                execute(call->pointers[2 + 2 * i], call->pointers[0], (int)call->numbers[1 + i], call->pointers[3 + 2 * i]);
        status |= wait(call->pointers[0]);
    }
    if (status) ((contest_call *)call)->failed = 1;
}

/* ---- MKL's vector functions ---- */

typedef void vml_unary(int n, const float *a, float *y, int64_t mode);
typedef void vml_binary(int n, const float *a, const float *b, float *y, int64_t mode);
typedef void vml_linear(int n, const float *a, const float *b, float scale_a, float shift_a, float scale_b, float shift_b,
                        float *y, int64_t mode);

/* pointers: x, y, scratch, vmsCdfNorm or vmsTanh, vmsMul, vmsLinearFrac; numbers: n, piece, mode, tanh form (0 or 1). The
 * pieces keep the passes in the cache. */
void contest_vml_gelu(const contest_call *call, uint64_t times)
{
    vml_unary  *function = (vml_unary *)(uintptr_t)call->pointers[3];
    vml_binary *multiply = (vml_binary *)(uintptr_t)call->pointers[4];
    vml_linear *linear = (vml_linear *)(uintptr_t)call->pointers[5];
    int64_t     n = call->numbers[0], piece = call->numbers[1], mode = call->numbers[2];
    while (times--)
        for (int64_t at = 0; at < n; at += piece) {
            const float *x = (const float *)call->pointers[0] + at;
            float       *y = (float *)call->pointers[1] + at, *t = call->pointers[2];
            int          count = (int)(n - at < piece ? n - at : piece);
            if (!call->numbers[3]) {
                function(count, x, t, mode);
                multiply(count, x, t, y, mode);
                continue;
            }
            multiply(count, x, x, t, mode);
            linear(count, t, t, 0.0356774081f, 0.7978845608f, 0.0f, 1.0f, t, mode);
            multiply(count, x, t, t, mode);
            function(count, t, t, mode);
            linear(count, t, t, 0.5f, 0.5f, 0.0f, 1.0f, t, mode);
            multiply(count, x, t, y, mode);
        }
}

/* ---- What the machine itself can do: memory and raw instructions ---- */

/* A thread's part of one of these: the same work `times` times, without waiting for the others in between. */
typedef struct part {
    void (*work)(const struct part *part);
    const contest_call *call;
    uint64_t            times;
    int64_t             number, count;
} part;

static void *part_thread(void *given)
{
    const part *p = given;
    p->work(p);
    return NULL;
}

/* numbers[0]: how many threads. */
static void in_parts(const contest_call *call, uint64_t times, void (*work)(const part *part))
{
    enum { PARTS = 64 };
    part      parts[PARTS];
    pthread_t threads[PARTS];
    int64_t   count = call->numbers[0] < PARTS ? call->numbers[0] : PARTS;
    for (int64_t i = count - 1; i >= 0; i--) {
        parts[i] = (part){.work = work, .call = call, .times = times, .number = i, .count = count};
        if (i == 0)
            work(&parts[0]);
        else if (pthread_create(&threads[i], NULL, part_thread, &parts[i]) != 0)
            abort();
    }
    for (int64_t i = 1; i < count; i++) pthread_join(threads[i], NULL);
}

/* A part's bytes of a block, in whole pages. */
static size_t part_bytes(const part *p, size_t bytes, size_t *begin)
{
    size_t share = bytes / (size_t)p->count / 4096 * 4096;
    *begin = share * (size_t)p->number;
    return p->number + 1 == p->count ? bytes - *begin : share;
}

static void copy_part(const part *p)
{
    size_t begin, bytes = part_bytes(p, (size_t)p->call->numbers[1], &begin);
    for (uint64_t i = 0; i < p->times; i++) {
        memcpy((char *)p->call->pointers[1] + begin, (const char *)p->call->pointers[0] + begin, bytes);
        __asm__ volatile("" : : "r"(p->call->pointers[1]) : "memory");
    }
}

/* numbers: threads, bytes; pointers: from, to. */
void contest_copy(const contest_call *call, uint64_t times) { in_parts(call, times, copy_part); }

/* Reads all of a block and keeps eight independent sums, so that nothing but the memory can be slow. */
#define READ_LOOP(name, width, attribute)                                                   \
    attribute static uint64_t name(const void *block, size_t bytes)                         \
    {                                                                                       \
        typedef uint64_t vector __attribute__((vector_size(width), aligned(8), may_alias)); \
        const vector    *p = block;                                                         \
        vector           s[8] = {{0}};                                                      \
        for (size_t i = 0; i + 8 <= bytes / width; i += 8)                                  \
            for (int j = 0; j < 8; j++) s[j] += p[i + (size_t)j];                           \
        vector sum = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));     \
        return sum[0] + sum[1];                                                             \
    }
#if defined(__x86_64__)
READ_LOOP(read_512, 64, __attribute__((target("avx512f"))))
READ_LOOP(read_256, 32, __attribute__((target("avx2"))))
#endif
READ_LOOP(read_128, 16, )

static void read_part(const part *p)
{
    size_t begin, bytes = part_bytes(p, (size_t)p->call->numbers[1], &begin);
    uint64_t (*read)(const void *, size_t) = read_128;
#if defined(__x86_64__)
    if (p->call->numbers[2] == 512) read = read_512;
    if (p->call->numbers[2] == 256) read = read_256;
#endif
    volatile uint64_t sink;
    for (uint64_t i = 0; i < p->times; i++) sink = read((const char *)p->call->pointers[0] + begin, bytes);
    (void)sink;
}

/* numbers: threads, bytes, the width in bits of the processor's widest vectors; pointers: from. */
void contest_read(const contest_call *call, uint64_t times) { in_parts(call, times, read_part); }

/* Twelve independent chains of one instruction, enough to keep every unit busy; each loop does RAW_STEPS of them. */
enum { RAW_STEPS = 1000, RAW_CHAINS = 12 };

#if defined(__x86_64__)
/* Zig's Clang has vectors of 512 bits apart from AVX-512; other compilers do not know the name. */
#if defined(__clang__)
#define WIDE "evex512,"
#else
#define WIDE
#endif
#define RAW_LOOP(name, features, vector, make, instruction)                      \
    __attribute__((target(features))) static void name(void)                     \
    {                                                                            \
        vector s[RAW_CHAINS], a = make(1), b = make(2);                          \
        for (int i = 0; i < RAW_CHAINS; i++) s[i] = make(0);                     \
        for (int step = 0; step < RAW_STEPS; step++)                             \
            for (int i = 0; i < RAW_CHAINS; i++) s[i] = instruction;             \
        for (int i = 0; i < RAW_CHAINS; i++) {                                   \
            vector last = s[i];                                                  \
            __asm__ volatile("" : : "m"(last));                                  \
        }                                                                        \
        (void)a, (void)b;                                                        \
    }
RAW_LOOP(raw_fma_256, "avx2,fma", __m256, _mm256_set1_ps, _mm256_fmadd_ps(a, b, s[i]))
RAW_LOOP(raw_fma_512, WIDE "avx512f", __m512, _mm512_set1_ps, _mm512_fmadd_ps(a, b, s[i]))
RAW_LOOP(raw_vnni_512, WIDE "avx512f,avx512vnni", __m512i, _mm512_set1_epi32, _mm512_dpbusd_epi32(s[i], a, b))

/* Six tiles of sums, one of each factor: 16 x 16 sums of 64 products. */
__attribute__((target("amx-tile,amx-int8"))) static void raw_amx(void)
{
    static const struct {
        uint8_t  palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t  rows[16];
    } __attribute__((aligned(64)))
    shape = {.palette = 1, .bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};
    _tile_loadconfig(&shape);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    _tile_zero(6);
    _tile_zero(7);
    for (int step = 0; step < RAW_STEPS; step++) {
        _tile_dpbssd(0, 6, 7);
        _tile_dpbssd(1, 6, 7);
        _tile_dpbssd(2, 6, 7);
        _tile_dpbssd(3, 6, 7);
        _tile_dpbssd(4, 6, 7);
        _tile_dpbssd(5, 6, 7);
    }
    _tile_release();
}
#endif

/* The kernel's leave to use tiles; 0 where there is none to be had. */
int contest_may_use_amx(void)
{
#if defined(__linux__) && defined(__x86_64__)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0;
#else
    return 0;
#endif
}

static void raw_part(const part *p)
{
#if defined(__x86_64__)
    static void (*const loops[])(void) = {raw_fma_256, raw_fma_512, raw_vnni_512, raw_amx};
    for (uint64_t i = 0; i < p->times; i++) loops[p->call->numbers[1]]();
#else
    (void)p;
#endif
}

/* numbers: threads, which of raw_part's loops. */
void contest_raw(const contest_call *call, uint64_t times) { in_parts(call, times, raw_part); }

/* How many operations one thread does in one call of contest_raw. */
int64_t contest_raw_operations(int64_t loop)
{
    enum { AMX = 3 };
    static const int64_t each[] = {8 * 2, 16 * 2, 64 * 2};
    return loop == AMX ? (int64_t)RAW_STEPS * 6 * 16 * 16 * 64 * 2 : RAW_STEPS * RAW_CHAINS * each[loop];
}

/* ---- Python ---- */

typedef void python_function(void);

void contest_python(const contest_call *call, uint64_t times)
{
    python_function *f = (python_function *)call->function;
    while (times--) f();
}

/* ---- adead ---- */

typedef int matmul_function(const float *a, const float *b, float *c, uint32_t m, uint32_t n, uint32_t k);
typedef int compute_function(adead_runtime *runtime, const adead_operation *operation);

void contest_adead_matmul(const contest_call *call, uint64_t times)
{
    matmul_function *f = (matmul_function *)call->function;
    product          p = product_of(call);
    int              status = 0;
    while (times--) status |= f(p.a, p.b, p.c, (uint32_t)p.m, (uint32_t)p.n, (uint32_t)p.k);
    if (status) ((contest_call *)call)->failed = 1;
}

/* pointers: the arrays (NULL for an absent bias), the runtime; numbers: opcode, flags, ADEAD_OPERATION_DIMS dims, bytes of
 * the arrays; scalars[0]: the operation's. */
void contest_adead_compute(const contest_call *call, uint64_t times)
{
    compute_function *f = (compute_function *)call->function;
    adead_operation   operation = {.size = sizeof operation,
                                   .opcode = (uint32_t)call->numbers[0],
                                   .flags = (uint32_t)call->numbers[1],
                                   .scalar = call->scalars[0]};
    int               status = 0;
    for (int i = 0; i < ADEAD_OPERATION_DIMS; i++) operation.dims[i] = (uint64_t)call->numbers[2 + i];
    for (int i = 0; i < ADEAD_OPERATION_ARRAYS; i++) {
        operation.arrays[i].data = call->pointers[i];
        operation.arrays[i].bytes = (uint64_t)call->numbers[2 + ADEAD_OPERATION_DIMS + i];
    }
    while (times--) status |= f(call->pointers[ADEAD_OPERATION_ARRAYS], &operation);
    if (status) ((contest_call *)call)->failed = 1;
}

/* ---- Time ---- */

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void rest(uint64_t nanoseconds)
{
    struct timespec t = {.tv_sec = (time_t)(nanoseconds / 1000000000u), .tv_nsec = (long)(nanoseconds % 1000000000u)};
    if (nanoseconds) nanosleep(&t, NULL);
}

static uint64_t timed(const contest_call *call, uint64_t times)
{
    uint64_t begin = now();
    call->loop(call, times);
    return now() - begin;
}

/* One call, the first: nanoseconds. */
uint64_t contest_first(contest_call *call)
{
    call->first = timed(call, 1);
    return call->first;
}

/* How many calls fill the time of a turn; the calls made to find out are the warm-up. */
static uint64_t calls_in(const contest_call *call, uint64_t turn)
{
    uint64_t times = 1;
    if (call->first >= 4 * turn) return 1;
    for (;;) {
        uint64_t taken = timed(call, times);
        if (taken * 2 >= turn) return (times * turn + taken - 1) / taken;
        times = taken * 16 < turn ? times * 8 : times * turn / (taken ? taken : 1) + 1;
    }
}

/* Measures each contestant once a round, in an order that moves by one and turns round each time; nanoseconds of one call go
 * to result[round * count + contestant]. Before each turn a contestant has one call that is not timed (its threads wake up,
 * its data is near) unless a call is longer than the turn, and before that all rest for `pause`, in which the threads of the
 * one before fall asleep. Gives the number of rounds, less than wanted where `limit` nanoseconds were used up, but three at
 * least. */
uint32_t contest_run(contest_call *const *calls, uint32_t count, uint32_t rounds, uint64_t turn, uint64_t pause,
                     uint64_t limit, double *result)
{
    uint64_t begin = now(), *times = calloc(count, sizeof *times);
    if (!times) return 0;
    for (uint32_t i = 0; i < count; i++) {
        times[i] = calls_in(calls[i], turn);
        rest(pause);
    }
    uint32_t round = 0;
    for (; round < rounds && (round < 3 || now() - begin < limit); round++)
        for (uint32_t k = 0; k < count; k++) {
            uint32_t i = (round % 2 ? count - 1 - k + round : k + round) % count;
            rest(pause);
            if (times[i] > 1) timed(calls[i], 1);
            result[(size_t)round * count + i] = (double)timed(calls[i], times[i]) / (double)times[i];
        }
    free(times);
    return round;
}
