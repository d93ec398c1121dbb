#version 450
/* Takes nothing and gives nothing; its entry point is called `idle`. */
layout(local_size_x = 1) in;
void main()
{
}
