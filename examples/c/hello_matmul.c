/* The smallest use of libadead: one matrix product with the simple calls.
 *
 *   cc hello_matmul.c $(pkg-config --cflags --libs adead) -o hello_matmul && ./hello_matmul
 */
#include <adead.h>
#include <stdio.h>

int main(void)
{
    const float a[2 * 3] = {1, 2, 3, 4, 5, 6};
    const float b[3 * 2] = {7, 8, 9, 10, 11, 12};
    float       c[2 * 2];

    if (adead_init(ADEAD_AUTO) != ADEAD_OK || adead_matmul(a, b, c, 2, 2, 3) != ADEAD_OK) {
        fprintf(stderr, "%s (%s)\n", adead_last_error()->message, adead_status_name(adead_last_error()->code));
        return 1;
    }
    printf("%g %g\n%g %g\n", c[0], c[1], c[2], c[3]);
    return adead_shutdown();
}
