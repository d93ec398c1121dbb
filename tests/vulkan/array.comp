#version 450
/* Refused: two storage buffers of one binding. */
layout(std430, binding = 0) buffer Y { float y; } both[2];
void main()
{
    both[1].y = both[0].y;
}
