#version 450
/* Refused: a uniform buffer. */
layout(binding = 0) uniform U { float x; };
layout(std430, binding = 1) buffer Y { float y; };
void main()
{
    y = x;
}
