#version 450
/* Blocks of every layout: what each binding must at least have is worked out by hand in tests/unit/test_reflect.c. */
#extension GL_EXT_shader_explicit_arithmetic_types : require
layout(local_size_x = 4, local_size_y = 2, local_size_z = 3) in;
struct Inner { vec3 v; float f; mat2x3 m; };
layout(std430, binding = 0) buffer Fixed { uint count; Inner inner[3]; } b0;
layout(std430, binding = 1) readonly buffer Open { uint count; layout(row_major) mat3x2 m[2]; vec4 x[]; } b1;
layout(std140, binding = 5) writeonly buffer Spaced { float x[7]; mat4 m; } b5;
layout(std430, binding = 9) restrict buffer Narrow { int8_t a; int16_t b; int64_t c; float16_t d; double e[2]; } b9;
layout(std430, binding = 15) buffer Mixed { readonly uint a; uint b; } b15;
layout(push_constant) uniform Push { vec2 a; mat2 m; uint16_t n; } push;
shared vec3 part[8];
shared float sum;
void main()
{
    uint i = gl_LocalInvocationIndex % 3;
    part[i] = b0.inner[i].v + b1.x[i].xyz * push.a.x * float(push.n) + push.m[0].xyx + b1.m[1][1].xyy;
    sum = 0.0;
    barrier();
    b5.x[i] = part[i].x + sum + float(b9.d) + float(b9.e[1]) + float(b9.c) + float(b9.a) + float(b9.b);
    b15.b = b15.a + b0.count + b1.count;
}
