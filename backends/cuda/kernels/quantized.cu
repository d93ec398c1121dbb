/* Quantised numbers, four to a thread. */
#include "common.h"

typedef u8 bytes __attribute__((ext_vector_type(4)));

/* x * inverse rounded to even and clamped to -127 to 127; of a NaN it is 0. The sum rounds. */
INLINE u8 quantized(f32 x, f32 inverse)
{
    f32 t = x * inverse;
    f32 c = t < -127.0f ? -127.0f : t > 127.0f ? 127.0f : t;
    return t == t ? (u8)bits_of(c + 0x1.8p23f) : 0;
}

KERNEL quantize(adead_cu_quantize g)
{
    piece p = piece_of(g.columns, g.rows, g.columns);
    u64   to = g.to + p.at;
    bytes q;
    if (p.count == 0) return;
    f32  scale = AT(f32, g.scales + 4 * p.row), inverse = 1.0f / scale;
    four v = load_four(g.from + 4 * p.at, p.count);
    UNROLL for (int i = 0; i < 4; i++) q[i] = scale == 0.0f ? 0 : quantized(v.at[i], inverse);
    if (p.count == 4 && to % 4 == 0) AT(bytes, to) = q;
    else UNROLL for (u32 i = 0; i < 4; i++)
        if (i < p.count) AT(u8, to + i) = q[i];
}

KERNEL dequantize(adead_cu_dequantize g)
{
    piece p = piece_of(g.columns, g.rows, g.columns);
    if (p.count == 0) return;
    f32   scale = AT(f32, g.scale_a + 4 * p.row);
    words v = load_words(g.from + 4 * p.at, p.count);
    four  s = load_four(g.scale_b + 4 * p.column, p.count), y, bias;
    UNROLL for (int i = 0; i < 4; i++) y.at[i] = (f32)(i32)v.at[i] * (scale * s.at[i]);
    if (g.bias) {
        bias = load_four(g.bias + 4 * p.column, p.count);
        UNROLL for (int i = 0; i < 4; i++) y.at[i] = y.at[i] + bias.at[i];
    }
    UNROLL for (int i = 0; i < 4; i++) y.at[i] = canonical(y.at[i]);
    store_four(g.to + 4 * p.at, p.count, y);
}
