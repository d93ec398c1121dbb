#version 450
/* The size of the workgroup is made of specialisation constants; compiled for Vulkan 1.0, a storage buffer is a BufferBlock. */
layout(local_size_x_id = 0, local_size_y = 3) in;
layout(constant_id = 0) const uint width = 5;
layout(std430, binding = 2) buffer Y { uint y[width]; };
void main()
{
    y[gl_LocalInvocationIndex] = gl_WorkGroupSize.x;
}
