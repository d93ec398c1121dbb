/* A small library of foreign functions, loaded by the tests of foreign calls: every kind of argument and result, callbacks,
 * and some functions that behave badly.
 */
#include <stdint.h>
#include <string.h>

#if defined(_WIN32)
#define PUBLIC __declspec(dllexport)
#else
#include <pthread.h>
#define PUBLIC __attribute__((visibility("default")))
#endif

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

PUBLIC int32_t negate_i32(int32_t v);
PUBLIC int64_t negate_i64(int64_t v);
PUBLIC float   half_f32(float v);
PUBLIC double  half_f64(double v);
PUBLIC double  all_kinds(int32_t a, int64_t b, float c, double d, const uint8_t *p, uint64_t n, const uint8_t *q, int32_t e,
                         int64_t f, float g, double h, double i, double j, double k, double l, double m, int32_t o);
PUBLIC int64_t sum_bytes(const uint8_t *bytes, uint64_t count);
PUBLIC void    fill_bytes(uint8_t *bytes, uint64_t count, int32_t value);
PUBLIC void    double_floats(float *values, uint64_t bytes);
PUBLIC int64_t sum_of(int64_t count, int64_t (*function)(int64_t));
PUBLIC double  mixed(float (*function)(int32_t, int64_t, float, double, const void *), const uint8_t *base);
PUBLIC int32_t call_i32(int32_t (*function)(int32_t), int32_t value);
PUBLIC void    call_with_wild_pointer(void (*function)(const void *), const uint8_t *range);
PUBLIC int64_t call_from_a_thread(int64_t (*function)(int64_t));
PUBLIC int64_t counter(void);
PUBLIC void    write_and_call(uint8_t *bytes, uint64_t count, int32_t (*function)(int32_t));
PUBLIC void    spoil_the_environment(void);
PUBLIC float   not_a_number(void);

int32_t negate_i32(int32_t v) { return -v; }
int64_t negate_i64(int64_t v) { return -v; }
float   half_f32(float v) { return v / 2; }
double  half_f64(double v) { return v / 2; }

/* More arguments of each class than there are registers for them. */
double all_kinds(int32_t a, int64_t b, float c, double d, const uint8_t *p, uint64_t n, const uint8_t *q, int32_t e,
                 int64_t f, float g, double h, double i, double j, double k, double l, double m, int32_t o)
{
    return a + 2 * (double)b + 4 * c + 8 * d + 16 * p[n - 1] + 32 * q[0] + 64 * e + 128 * (double)f + 256 * g + 512 * h +
           1024 * i + 2048 * j + 4096 * k + 8192 * l + 16384 * m + 32768 * (double)o;
}

int64_t sum_bytes(const uint8_t *bytes, uint64_t count)
{
    int64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) sum += bytes[i];
    return sum;
}

void fill_bytes(uint8_t *bytes, uint64_t count, int32_t value)
{
    if (count) memset(bytes, value, (size_t)count);
}

void double_floats(float *values, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes / sizeof *values; i++) values[i] *= 2;
}

int64_t sum_of(int64_t count, int64_t (*function)(int64_t))
{
    int64_t sum = 0;
    for (int64_t i = 0; i < count; i++) sum += function(i);
    return sum;
}

double mixed(float (*function)(int32_t, int64_t, float, double, const void *), const uint8_t *base)
{
    return 3 * (double)function(-5, (int64_t)1 << 40, 1.5f, 2.25, base + 3);
}

int32_t call_i32(int32_t (*function)(int32_t), int32_t value) { return function(value); }

void call_with_wild_pointer(void (*function)(const void *), const uint8_t *range) { function(range - 1); }

#if defined(_WIN32)
int64_t call_from_a_thread(int64_t (*function)(int64_t)) { return function(1); }
#else
static void *in_thread(void *argument)
{
    int64_t (*function)(int64_t);
    memcpy(&function, argument, sizeof function);
    return (void *)(intptr_t)function(1);
}

int64_t call_from_a_thread(int64_t (*function)(int64_t))
{
    pthread_t thread;
    void     *result = NULL;
    if (pthread_create(&thread, NULL, in_thread, &function) != 0) return -1;
    pthread_join(thread, &result);
    return (intptr_t)result;
}
#endif

/* Another value each time: what no replay could guess. */
int64_t counter(void)
{
    static int64_t count;
    return ++count;
}

/* Writes before and behind a callback that may look at it. */
void write_and_call(uint8_t *bytes, uint64_t count, int32_t (*function)(int32_t))
{
    bytes[0] = (uint8_t)(counter() + 1);
    bytes[count - 1] = (uint8_t)function(7);
    bytes[1] = 0x55;
}

void spoil_the_environment(void)
{
#if defined(__x86_64__)
    _mm_setcsr(_mm_getcsr() | 0x6000 | 0x8040); /* towards zero, subnormals flushed */
#elif defined(__aarch64__)
    uint64_t fpcr = 3u << 22 | 1u << 24;
    __asm__ volatile("msr fpcr, %0" ::"r"(fpcr));
#endif
}

float not_a_number(void)
{
    uint32_t bits = 0xFFC12345;
    float    value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
