/* What every instruction does: one body each, compiled into each dispatch loop. No include guard: included once per loop.
 *
 * The including file defines
 *   STEP(NAME), FUSED_STEP(NAME)   how a body begins
 *   DISPATCH                       executes the step at pc
 *   LEAVE(reason)                  leaves the loop with pc, r, sp and fuel written back to the task
 *   ONE_TENSOR_STEP                where all tensor instructions can share the body of STEP(TENSOR)
 * and has in scope: pc, r, sp, task, fuel, mem (base of linear memory), size (its accessible bytes).
 *
 * A wire instruction without a body does not compile: the threaded loop misses a function, the switch misses a case.
 */

#define NEXT { pc++; DISPATCH; }
#define TRAP(code) { task->trap = ADEAD_##code; LEAVE(ADEAD_EXIT_TRAP); }

#define A (r[pc->a])
#define B (r[pc->b])
#define C (r[pc->c])
#define D (r[pc->d])
#define A32 ((uint32_t)A)
#define B32 ((uint32_t)B)
#define C32 ((uint32_t)C)
#define IMM32 ((uint32_t)pc->imm)
#define IMM64 ((uint64_t)(int64_t)pc->imm)
#define WIDE ((uint64_t)(uint32_t)pc->imm | (uint64_t)pc->c << 32 | (uint64_t)pc->d << 48)
#define LIMIT32 ((uint32_t)pc->c | (uint32_t)pc->d << 16)
#define LIMIT64 ((uint64_t)(int64_t)(int32_t)LIMIT32)
#define F32(x) adead_bits_f32((uint32_t)(x))
#define F64(x) adead_bits_f64(x)
#define PUT32(v) { A = (uint32_t)(v); NEXT }
#define PUT64(v) { A = (uint64_t)(v); NEXT }
#define PUTF32(v) { A = adead_f32_bits(v); NEXT }
#define PUTF64(v) { A = adead_f64_bits(v); NEXT }

/* Going on at `pc` costs the run that starts there. */
#define ENTER                                            \
    {                                                    \
        fuel -= pc->run;                                 \
        if (ADEAD_UNLIKELY(fuel < 0)) {                  \
            fuel += pc->run;                             \
            LEAVE(ADEAD_EXIT_TURN);                      \
        }                                                \
        DISPATCH;                                        \
    }
#define TARGET(distance) ((const adead_step *)((const char *)pc + (distance)))
#define JUMP_WHEN(condition)                             \
    {                                                    \
        if (condition) {                                 \
            pc = TARGET(pc->imm);                        \
            ENTER                                        \
        }                                                \
        pc++;                                            \
        ENTER                                            \
    }
/* Instructions outside the loop; they may change fuel and the size of memory. */
#define SLOW(function) SLOW_BODY(function(task))
#define SLOW_SEEN(function) SLOW_BODY(adead_seen(task, function))
#define SLOW_BODY(call)                                  \
    {                                                    \
        task->pc = pc;                                   \
        task->r = r;                                     \
        task->sp = sp;                                   \
        task->fuel = fuel;                               \
        adead_exit slow_exit = call;                     \
        if (slow_exit != ADEAD_EXIT_NONE) return slow_exit; \
        fuel = task->fuel;                               \
        mem = (uint8_t *)task->linear.host;              \
        size = task->linear.bytes;                       \
        NEXT                                             \
    }
/* The same for those that end a run. */
#define SLOW_CONTROL(function) SLOW_CONTROL_BODY(function(task))
#define SLOW_CONTROL_BODY(call)                          \
    {                                                    \
        task->pc = pc;                                   \
        task->r = r;                                     \
        task->sp = sp;                                   \
        task->fuel = fuel;                               \
        adead_exit slow_exit = call;                     \
        if (slow_exit != ADEAD_EXIT_NONE) return slow_exit; \
        fuel = task->fuel;                               \
        mem = (uint8_t *)task->linear.host;              \
        size = task->linear.bytes;                       \
        pc++;                                            \
        ENTER                                            \
    }

/* Frames are small: a few moves beat what compilers make of such loops (a call of memset, a vector loop with its prologue),
 * and calls run a third faster. A compiler that must assume the pointer changed here leaves the loop as it is. */
#if defined(__GNUC__)
#define SHORT_LOOP(pointer) __asm__ volatile("" : "+r"(pointer));
#else
#define SHORT_LOOP(pointer)
#endif

/* ---- Control ---- */

STEP(NOP) NEXT
STEP(FUNC) NEXT /* never reached: calls lead behind it, and nothing jumps or falls into it */
STEP(JUMP) { pc = TARGET(pc->imm); ENTER }
STEP(JUMP_IF) JUMP_WHEN(A32 != 0)
STEP(JUMP_UNLESS) JUMP_WHEN(A32 == 0)
STEP(JUMP_TABLE)
{
    uint32_t last = pc->b - 1u, index = A32 < last ? A32 : last;
    pc = TARGET(task->translation->jumps[(uint32_t)pc->imm + index]);
    ENTER
}
#define CALL_BODY                                                                                                   \
{                                                                                                                   \
    uint64_t *frame = r + pc->b;                                                                                    \
    if (ADEAD_UNLIKELY(sp == task->stack_limit || pc->d > task->register_limit - frame)) TRAP(STACK_OVERFLOW)       \
    const uint64_t *arguments = r + pc->a;                                                                          \
    uint64_t       *to = frame, *locals = frame + pc->c, *end = frame + pc->d;                                      \
    while (to < locals) { SHORT_LOOP(to) *to++ = *arguments++; }                                                    \
    while (to < end) { SHORT_LOOP(to) to[0] = 0; to[1] = 0; to[2] = 0; to[3] = 0; to += ADEAD_REGISTER_GROUP; }     \
    *sp++ = pc;                                                                                                     \
    r = frame;                                                                                                      \
    pc = TARGET(pc->imm);                                                                                           \
    ENTER                                                                                                           \
}
STEP(CALL) CALL_BODY
STEP(CALL_INDIRECT)
{
    uint32_t index = C32;
    if (index >= task->analysis->image->table_count) TRAP(INDIRECT_CALL)
    uint32_t              number = task->analysis->table[index];
    const adead_function *callee = &task->analysis->functions[number];
    if (callee->type != IMM32) TRAP(INDIRECT_CALL)
    uint64_t *frame = r + pc->b;
    if (sp == task->stack_limit || callee->registers > task->register_limit - frame) TRAP(STACK_OVERFLOW)
    for (uint32_t i = 0; i < callee->registers; i++) frame[i] = i < callee->params ? r[pc->a + i] : 0;
    *sp++ = pc;
    r = frame;
    pc = task->translation->steps + task->translation->entries[number];
    ENTER
}
STEP(RETURN)
{
    const adead_step *call = *--sp;
    uint64_t         *caller = r - call->b;
    uint64_t         *to = caller + call->a, *end = to + pc->a;
    while (to < end) { SHORT_LOOP(to) *to++ = *r++; }
    r = caller;
    pc = call + 1;
    ENTER
}
STEP(CALL_FOREIGN) SLOW_CONTROL_BODY(adead_seen(task, adead_do_call_foreign)) /* callbacks may grow memory */
STEP(TRAP) TRAP(TRAP)
STEP(HALT) LEAVE(ADEAD_EXIT_ENDED)
STEP(GPU_END) LEAVE(ADEAD_EXIT_ENDED)

#define COMPARE_JUMPS(T, signed_type, unsigned_type, limit)                                        \
    STEP(JUMP_##T##_EQ) JUMP_WHEN((unsigned_type)A == (unsigned_type)B)                            \
    STEP(JUMP_##T##_NE) JUMP_WHEN((unsigned_type)A != (unsigned_type)B)                            \
    STEP(JUMP_##T##_LT_S) JUMP_WHEN((signed_type)A < (signed_type)B)                               \
    STEP(JUMP_##T##_LT_U) JUMP_WHEN((unsigned_type)A < (unsigned_type)B)                           \
    STEP(JUMP_##T##_LE_S) JUMP_WHEN((signed_type)A <= (signed_type)B)                              \
    STEP(JUMP_##T##_LE_U) JUMP_WHEN((unsigned_type)A <= (unsigned_type)B)                          \
    STEP(JUMP_##T##_EQ_IMM) JUMP_WHEN((unsigned_type)A == (unsigned_type)limit)                    \
    STEP(JUMP_##T##_NE_IMM) JUMP_WHEN((unsigned_type)A != (unsigned_type)limit)                    \
    STEP(JUMP_##T##_LT_S_IMM) JUMP_WHEN((signed_type)A < (signed_type)limit)                       \
    STEP(JUMP_##T##_LT_U_IMM) JUMP_WHEN((unsigned_type)A < (unsigned_type)limit)                   \
    STEP(JUMP_##T##_LE_S_IMM) JUMP_WHEN((signed_type)A <= (signed_type)limit)                      \
    STEP(JUMP_##T##_LE_U_IMM) JUMP_WHEN((unsigned_type)A <= (unsigned_type)limit)                  \
    STEP(JUMP_##T##_GT_S_IMM) JUMP_WHEN((signed_type)A > (signed_type)limit)                       \
    STEP(JUMP_##T##_GT_U_IMM) JUMP_WHEN((unsigned_type)A > (unsigned_type)limit)                   \
    STEP(JUMP_##T##_GE_S_IMM) JUMP_WHEN((signed_type)A >= (signed_type)limit)                      \
    STEP(JUMP_##T##_GE_U_IMM) JUMP_WHEN((unsigned_type)A >= (unsigned_type)limit)
COMPARE_JUMPS(I32, int32_t, uint32_t, LIMIT32)
COMPARE_JUMPS(I64, int64_t, uint64_t, LIMIT64)
#undef COMPARE_JUMPS
#define FLOAT_JUMPS(T)                               \
    STEP(JUMP_##T##_EQ) JUMP_WHEN(T(A) == T(B))      \
    STEP(JUMP_##T##_NE) JUMP_WHEN(T(A) != T(B))      \
    STEP(JUMP_##T##_LT) JUMP_WHEN(T(A) < T(B))       \
    STEP(JUMP_##T##_LE) JUMP_WHEN(T(A) <= T(B))
FLOAT_JUMPS(F32)
FLOAT_JUMPS(F64)
#undef FLOAT_JUMPS

/* ---- Memory ---- */

#define EFFECTIVE(bytes)                                                                                   \
    uint64_t address = B + IMM32;                                                                          \
    if (ADEAD_UNLIKELY(B > size || address + (bytes) > size)) TRAP(OUT_OF_BOUNDS)
#define LOAD_STEP(NAME, bytes, type, wider)                          \
    STEP(NAME)                                                       \
    {                                                                \
        EFFECTIVE(bytes)                                             \
        type value;                                                  \
        memcpy(&value, mem + address, bytes);                        \
        PUT64((wider)value)                                          \
    }
LOAD_STEP(LOAD, 8, uint64_t, uint64_t)
LOAD_STEP(LOAD8_U, 1, uint8_t, uint64_t)
LOAD_STEP(LOAD16_U, 2, uint16_t, uint64_t)
LOAD_STEP(LOAD32_U, 4, uint32_t, uint64_t)
LOAD_STEP(I32_LOAD8_S, 1, int8_t, uint32_t)
LOAD_STEP(I32_LOAD16_S, 2, int16_t, uint32_t)
LOAD_STEP(I64_LOAD8_S, 1, int8_t, int64_t)
LOAD_STEP(I64_LOAD16_S, 2, int16_t, int64_t)
LOAD_STEP(I64_LOAD32_S, 4, int32_t, int64_t)
#undef LOAD_STEP
#define STORE_STEP(NAME, bytes, type)                                \
    STEP(NAME)                                                       \
    {                                                                \
        EFFECTIVE(bytes)                                             \
        type value = (type)A;                                        \
        memcpy(mem + address, &value, bytes);                        \
        NEXT                                                         \
    }
STORE_STEP(STORE, 8, uint64_t)
STORE_STEP(STORE8, 1, uint8_t)
STORE_STEP(STORE16, 2, uint16_t)
STORE_STEP(STORE32, 4, uint32_t)
#undef STORE_STEP
STEP(MEMORY_SIZE) PUT64(size / ADEAD_BLOCK_SIZE)
STEP(MEMORY_GROW) SLOW(adead_do_memory_grow)
STEP(MEMORY_COPY) SLOW_SEEN(adead_do_memory_copy)
STEP(MEMORY_FILL) SLOW_SEEN(adead_do_memory_fill)
STEP(ALLOC) SLOW(adead_do_alloc)
STEP(FREE) SLOW(adead_do_free)
STEP(BUFFER_ALLOC) SLOW_SEEN(adead_do_buffer_alloc)
STEP(BUFFER_SIZE) SLOW(adead_do_buffer_size)
STEP(BUFFER_ADDRESS) SLOW(adead_do_buffer_address)

/* ---- Integers ---- */

#define INTEGER_STEPS(T, bits, signed_type, unsigned_type, PUT, WIDTH_CLZ, WIDTH_CTZ, WIDTH_POPCOUNT, IMM, MIN) \
    STEP(T##_ADD) PUT((unsigned_type)B + (unsigned_type)C)                                                                  \
    STEP(T##_SUB) PUT((unsigned_type)B - (unsigned_type)C)                                                                  \
    STEP(T##_MUL) PUT((unsigned_type)B * (unsigned_type)C)                                                                  \
    STEP(T##_DIV_S)                                                                                                         \
    {                                                                                                                       \
        signed_type x = (signed_type)B, y = (signed_type)C;                                                                 \
        if (y == 0) TRAP(DIVISION_BY_ZERO)                                                                                  \
        if (x == MIN && y == -1) TRAP(INTEGER_OVERFLOW)                                                                     \
        PUT((unsigned_type)(x / y))                                                                                         \
    }                                                                                                                       \
    STEP(T##_DIV_U)                                                                                                         \
    {                                                                                                                       \
        if ((unsigned_type)C == 0) TRAP(DIVISION_BY_ZERO)                                                                   \
        PUT((unsigned_type)B / (unsigned_type)C)                                                                            \
    }                                                                                                                       \
    STEP(T##_REM_S)                                                                                                         \
    {                                                                                                                       \
        signed_type x = (signed_type)B, y = (signed_type)C;                                                                 \
        if (y == 0) TRAP(DIVISION_BY_ZERO)                                                                                  \
        PUT((unsigned_type)(y == -1 ? 0 : x % y))                                                                           \
    }                                                                                                                       \
    STEP(T##_REM_U)                                                                                                         \
    {                                                                                                                       \
        if ((unsigned_type)C == 0) TRAP(DIVISION_BY_ZERO)                                                                   \
        PUT((unsigned_type)B % (unsigned_type)C)                                                                            \
    }                                                                                                                       \
    STEP(T##_AND) PUT((unsigned_type)B & (unsigned_type)C)                                                                  \
    STEP(T##_OR) PUT((unsigned_type)B | (unsigned_type)C)                                                                   \
    STEP(T##_XOR) PUT((unsigned_type)B ^ (unsigned_type)C)                                                                  \
    STEP(T##_SHL) PUT((unsigned_type)B << (C & (bits - 1)))                                                                 \
    STEP(T##_SHR_S) PUT((unsigned_type)((signed_type)B >> (C & (bits - 1))))                                                \
    STEP(T##_SHR_U) PUT((unsigned_type)B >> (C & (bits - 1)))                                                               \
    STEP(T##_ROTL) PUT((unsigned_type)((unsigned_type)B << (C & (bits - 1)) | (unsigned_type)B >> (-C & (bits - 1))))       \
    STEP(T##_ROTR) PUT((unsigned_type)((unsigned_type)B >> (C & (bits - 1)) | (unsigned_type)B << (-C & (bits - 1))))       \
    STEP(T##_CLZ) PUT((unsigned_type)B ? (unsigned)WIDTH_CLZ((unsigned_type)B) : bits)                                      \
    STEP(T##_CTZ) PUT((unsigned_type)B ? (unsigned)WIDTH_CTZ((unsigned_type)B) : bits)                                      \
    STEP(T##_POPCNT) PUT((unsigned)WIDTH_POPCOUNT((unsigned_type)B))                                                        \
    STEP(T##_EQZ) PUT((unsigned_type)B == 0)                                                                                \
    STEP(T##_EQ) PUT((unsigned_type)B == (unsigned_type)C)                                                                  \
    STEP(T##_NE) PUT((unsigned_type)B != (unsigned_type)C)                                                                  \
    STEP(T##_LT_S) PUT((signed_type)B < (signed_type)C)                                                                     \
    STEP(T##_LT_U) PUT((unsigned_type)B < (unsigned_type)C)                                                                 \
    STEP(T##_LE_S) PUT((signed_type)B <= (signed_type)C)                                                                    \
    STEP(T##_LE_U) PUT((unsigned_type)B <= (unsigned_type)C)                                                                \
    STEP(T##_EXTEND8_S) PUT((unsigned_type)(signed_type)(int8_t)B)                                                          \
    STEP(T##_EXTEND16_S) PUT((unsigned_type)(signed_type)(int16_t)B)                                                        \
    STEP(T##_ADD_IMM) PUT((unsigned_type)B + (unsigned_type)IMM)                                                            \
    STEP(T##_MUL_IMM) PUT((unsigned_type)B * (unsigned_type)IMM)                                                            \
    STEP(T##_AND_IMM) PUT((unsigned_type)B & (unsigned_type)IMM)                                                            \
    STEP(T##_OR_IMM) PUT((unsigned_type)B | (unsigned_type)IMM)                                                             \
    STEP(T##_XOR_IMM) PUT((unsigned_type)B ^ (unsigned_type)IMM)                                                            \
    STEP(T##_SHL_IMM) PUT((unsigned_type)B << (IMM32 & (bits - 1)))                                                         \
    STEP(T##_SHR_S_IMM) PUT((unsigned_type)((signed_type)B >> (IMM32 & (bits - 1))))                                        \
    STEP(T##_SHR_U_IMM) PUT((unsigned_type)B >> (IMM32 & (bits - 1)))
INTEGER_STEPS(I32, 32, int32_t, uint32_t, PUT32, __builtin_clz, __builtin_ctz, __builtin_popcount, IMM32, INT32_MIN)
INTEGER_STEPS(I64, 64, int64_t, uint64_t, PUT64, __builtin_clzll, __builtin_ctzll, __builtin_popcountll, IMM64, INT64_MIN)
#undef INTEGER_STEPS
STEP(I64_EXTEND32_S) PUT64((int64_t)(int32_t)B)

/* ---- Floating point ---- */

#define FLOAT_STEPS(T, bits, PUT, FMA)                                                       \
    STEP(T##_ADD) PUT(adead_canonical##bits(T(B) + T(C)))                                    \
    STEP(T##_SUB) PUT(adead_canonical##bits(T(B) - T(C)))                                    \
    STEP(T##_MUL) PUT(adead_canonical##bits(T(B) * T(C)))                                    \
    STEP(T##_DIV) PUT(adead_canonical##bits(T(B) / T(C)))                                    \
    STEP(T##_SQRT) PUT(adead_canonical##bits(adead_sqrt##bits(T(B))))                        \
    STEP(T##_FMA) PUT(FMA(T(B), T(C), T(D)))                                                 \
    STEP(T##_MIN) PUT(adead_min##bits(T(B), T(C)))                                           \
    STEP(T##_MAX) PUT(adead_max##bits(T(B), T(C)))                                           \
    STEP(T##_ABS) PUT(adead_abs##bits(T(B)))                                                 \
    STEP(T##_NEG) PUT(adead_neg##bits(T(B)))                                                 \
    STEP(T##_COPYSIGN) PUT(adead_sign##bits(T(B), T(C)))                                     \
    STEP(T##_CEIL) PUT(adead_ceil##bits(T(B)))                                               \
    STEP(T##_FLOOR) PUT(adead_floor##bits(T(B)))                                             \
    STEP(T##_TRUNC) PUT(adead_trunc##bits(T(B)))                                             \
    STEP(T##_NEAREST) PUT(adead_nearest##bits(T(B)))                                         \
    STEP(T##_EQ) PUT64(T(B) == T(C))                                                         \
    STEP(T##_NE) PUT64(T(B) != T(C))                                                         \
    STEP(T##_LT) PUT64(T(B) < T(C))                                                          \
    STEP(T##_LE) PUT64(T(B) <= T(C))
FLOAT_STEPS(F32, 32, PUTF32, adead_fmaf)
FLOAT_STEPS(F64, 64, PUTF64, adead_fma)
#undef FLOAT_STEPS

/* ---- Conversions ---- */

STEP(I32_WRAP_I64) PUT32(B)
STEP(I64_EXTEND_I32_S) PUT64((int64_t)(int32_t)B)
STEP(I64_EXTEND_I32_U) PUT64(B32)
STEP(F32_DEMOTE_F64) PUTF32(adead_canonical32((float)F64(B)))
STEP(F64_PROMOTE_F32) PUTF64(adead_canonical64((double)F32(B)))
STEP(F32_CONVERT_I32_S) PUTF32((float)(int32_t)B)
STEP(F32_CONVERT_I32_U) PUTF32((float)B32)
STEP(F32_CONVERT_I64_S) PUTF32((float)(int64_t)B)
STEP(F32_CONVERT_I64_U) PUTF32((float)B)
STEP(F64_CONVERT_I32_S) PUTF64((double)(int32_t)B)
STEP(F64_CONVERT_I32_U) PUTF64((double)B32)
STEP(F64_CONVERT_I64_S) PUTF64((double)(int64_t)B)
STEP(F64_CONVERT_I64_U) PUTF64((double)B)
#define TRUNCATION(I, F, sign, type, FITS, PUT, LOWEST, HIGHEST)                              \
    STEP(I##_TRUNC_##F##_##sign)                                                              \
    {                                                                                         \
        double value = (double)F(B);                                                          \
        if (value != value) TRAP(BAD_CONVERSION)                                              \
        if (!FITS(value)) TRAP(INTEGER_OVERFLOW)                                              \
        PUT((type)value)                                                                      \
    }                                                                                         \
    STEP(I##_TRUNC_SAT_##F##_##sign)                                                          \
    {                                                                                         \
        double value = (double)F(B);                                                          \
        type   result = value != value ? 0 : FITS(value) ? (type)value : value < 0 ? LOWEST : HIGHEST; \
        PUT(result)                                                                           \
    }
TRUNCATION(I32, F32, S, int32_t, ADEAD_FITS_I32, PUT32, INT32_MIN, INT32_MAX)
TRUNCATION(I32, F32, U, uint32_t, ADEAD_FITS_U32, PUT32, 0, UINT32_MAX)
TRUNCATION(I32, F64, S, int32_t, ADEAD_FITS_I32, PUT32, INT32_MIN, INT32_MAX)
TRUNCATION(I32, F64, U, uint32_t, ADEAD_FITS_U32, PUT32, 0, UINT32_MAX)
TRUNCATION(I64, F32, S, int64_t, ADEAD_FITS_I64, PUT64, INT64_MIN, INT64_MAX)
TRUNCATION(I64, F32, U, uint64_t, ADEAD_FITS_U64, PUT64, 0, UINT64_MAX)
TRUNCATION(I64, F64, S, int64_t, ADEAD_FITS_I64, PUT64, INT64_MIN, INT64_MAX)
TRUNCATION(I64, F64, U, uint64_t, ADEAD_FITS_U64, PUT64, 0, UINT64_MAX)
#undef TRUNCATION

/* ---- Moves ---- */

STEP(MOVE) PUT64(B)
STEP(I32_CONST) PUT64(IMM32)
STEP(I64_CONST) PUT64(WIDE)
STEP(F32_CONST) PUT64(IMM32)
STEP(F64_CONST) PUT64(WIDE)
STEP(SELECT) PUT64((uint32_t)D ? B : C)
STEP(GLOBAL_GET) PUT64(task->globals[IMM32])
STEP(GLOBAL_SET) { task->globals[IMM32] = A; NEXT }

/* ---- Tasks, streams, devices ---- */

STEP(SPAWN) SLOW_CONTROL(adead_do_spawn)
STEP(YIELD) { pc++; LEAVE(ADEAD_EXIT_YIELD); }
STEP(JOIN) SLOW_CONTROL(adead_do_join)
STEP(CHANNEL) SLOW(adead_do_channel)
STEP(SEND) SLOW(adead_do_send)
STEP(RECEIVE) SLOW_CONTROL(adead_do_receive)
STEP(WRITE) SLOW_SEEN(adead_do_write)
STEP(INPUT_DIM) SLOW(adead_do_input_dim)
STEP(OUTPUT_DIM) SLOW(adead_do_output_dim)
STEP(VK_INIT) SLOW_SEEN(adead_do_vulkan)
STEP(VK_ALLOC) SLOW_SEEN(adead_do_device)
STEP(VK_FREE) SLOW_SEEN(adead_do_device)
STEP(VK_COMPUTE) SLOW_SEEN(adead_do_vulkan)
STEP(VK_SHADER) SLOW_SEEN(adead_do_vulkan)
STEP(VK_BIND) SLOW_SEEN(adead_do_vulkan)
STEP(VK_PUSH) SLOW_SEEN(adead_do_vulkan)
STEP(VK_SUBMIT) SLOW_SEEN(adead_do_vulkan)
STEP(VK_SYNC) SLOW_SEEN(adead_do_vulkan)
STEP(GPU_NOP) NEXT
STEP(GPU_INIT) NEXT /* the device is open: a machine is made on one, or not at all */
STEP(GPU_SHUTDOWN) SLOW_SEEN(adead_do_device)
STEP(GPU_ALLOC) SLOW_SEEN(adead_do_device)
STEP(GPU_FREE) SLOW_SEEN(adead_do_device)
STEP(GPU_COPY_H2D) SLOW_SEEN(adead_do_device)
STEP(GPU_COPY_D2H) SLOW_SEEN(adead_do_device)
STEP(GPU_MEMSET) SLOW_SEEN(adead_do_device)
STEP(GPU_FFN) TRAP(TRAP) /* never reached: the verifier rejects it */
STEP(GPU_SYNC) SLOW_SEEN(adead_do_device)
STEP(GPU_BARRIER) SLOW_SEEN(adead_do_device)

/* Tensor instructions all go the same way. */
#ifdef ONE_TENSOR_STEP
STEP(TENSOR) SLOW_SEEN(adead_do_tensor)
#else
#define OP(value, name, mnemonic, operands, flags, class, tensor, effect)
#define TENSOR_OP(value, name, mnemonic, operands, flags, class, tensor, effect) STEP(name)
#include "opcodes/opcodes.def"
#undef OP
SLOW_SEEN(adead_do_tensor)
#endif

/* ---- Two instructions in one step ---- */

/* FIRST_ puts the result into `value`, THEN_ takes it from there. A trap in the second leaves pc at the second. */
#define F64_VALUE(v) value = adead_f64_bits(adead_canonical64(v));
#define FIRST_F64_ADD F64_VALUE(F64(B) + F64(C))
#define FIRST_F64_SUB F64_VALUE(F64(B) - F64(C))
#define FIRST_F64_MUL F64_VALUE(F64(B) * F64(C))
#define FIRST_I32_ROTR value = (uint32_t)(B32 >> (C & 31) | B32 << (-C & 31));
#define FIRST_I32_XOR value = B32 ^ C32;
#define FIRST_I32_AND value = B32 & C32;
#define FIRST_I32_ADD_IMM value = B32 + IMM32;
#define FIRST_I32_SHR_U_IMM value = B32 >> (IMM32 & 31);
#define FIRST_I64_ADD_IMM value = B + IMM64;
#define FIRST_LOAD { EFFECTIVE(8) uint64_t v; memcpy(&v, mem + address, 8); value = v; }
#define FIRST_LOAD32_U { EFFECTIVE(4) uint32_t v; memcpy(&v, mem + address, 4); value = v; }
#define THEN_F64_ADD PUTF64(adead_canonical64(F64(B) + F64(value)))
#define THEN_F64_SUB PUTF64(adead_canonical64(F64(B) - F64(value)))
#define THEN_F64_MUL PUTF64(adead_canonical64(F64(B) * F64(value)))
#define THEN_I32_XOR PUT32(B32 ^ (uint32_t)value)
#define THEN_I32_AND PUT32(B32 & (uint32_t)value)
#define THEN_I32_ADD PUT32(B32 + (uint32_t)value)
#define THEN_STORE { EFFECTIVE(8) memcpy(mem + address, &value, 8); NEXT }
#define THEN_CALL CALL_BODY
#define THEN_JUMP_I32_LT_S JUMP_WHEN((int32_t)value < (int32_t)B)
#define THEN_JUMP_I32_LT_S_IMM JUMP_WHEN((int32_t)value < (int32_t)LIMIT32)
#define THEN_JUMP_I64_LT_S JUMP_WHEN((int64_t)value < (int64_t)B)
#define THEN_JUMP_I64_LT_S_IMM JUMP_WHEN((int64_t)value < (int64_t)LIMIT64)
#define FUSED(first, then, slot) \
    FUSED_STEP(first##_##then)   \
    {                            \
        uint64_t value;          \
        FIRST_##first            \
        A = value;               \
        pc++;                    \
        THEN_##then              \
    }
ADEAD_FUSED_STEPS(FUSED)
#undef FUSED
#undef F64_VALUE
#undef EFFECTIVE
#undef CALL_BODY
#undef FIRST_F64_ADD
#undef FIRST_F64_SUB
#undef FIRST_F64_MUL
#undef FIRST_I32_ROTR
#undef FIRST_I32_XOR
#undef FIRST_I32_AND
#undef FIRST_I32_ADD_IMM
#undef FIRST_I32_SHR_U_IMM
#undef FIRST_I64_ADD_IMM
#undef FIRST_LOAD
#undef FIRST_LOAD32_U
#undef THEN_F64_ADD
#undef THEN_F64_SUB
#undef THEN_F64_MUL
#undef THEN_I32_XOR
#undef THEN_I32_AND
#undef THEN_I32_ADD
#undef THEN_STORE
#undef THEN_CALL
#undef THEN_JUMP_I32_LT_S
#undef THEN_JUMP_I32_LT_S_IMM
#undef THEN_JUMP_I64_LT_S
#undef THEN_JUMP_I64_LT_S_IMM

#undef NEXT
#undef TRAP
#undef A
#undef B
#undef C
#undef D
#undef A32
#undef B32
#undef C32
#undef IMM32
#undef IMM64
#undef WIDE
#undef LIMIT32
#undef LIMIT64
#undef F32
#undef F64
#undef PUT32
#undef PUT64
#undef PUTF32
#undef PUTF64
#undef ENTER
#undef TARGET
#undef JUMP_WHEN
#undef SHORT_LOOP
#undef SLOW
#undef SLOW_SEEN
#undef SLOW_BODY
#undef SLOW_CONTROL
#undef SLOW_CONTROL_BODY
