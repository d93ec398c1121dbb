#version 450
/* Refused: a buffer of descriptor set 1. */
layout(std430, set = 1, binding = 0) buffer Y { float y; };
void main()
{
    y = 1.0;
}
