#version 450
/* Refused: an image. */
layout(binding = 0, rgba8) uniform writeonly image2D picture;
void main()
{
    imageStore(picture, ivec2(0), vec4(0));
}
