/* A small network as a pipeline: built once with its weights, run on any number of rows.
 *
 *   cc pipeline.c $(pkg-config --cflags --libs adead) -o pipeline && ./pipeline
 */
#include <adead.h>
#include <stdio.h>

int main(void)
{
    const float w1[3 * 2] = {1, -1, 0, 2, -2, 1}, b1[2] = {6, -7}, w2[2 * 1] = {1, 0.5f};
    const float x[2 * 3] = {1, 2, 3, 4, 5, 6};
    float       y[2 * 1];

    adead_runtime  *runtime = NULL;
    adead_pipeline *mlp = NULL;
    int             status = adead_runtime_create(NULL, &runtime);
    if (!status) status = adead_pipeline_create(runtime, 3, 0, &mlp);      /* rows of 3 numbers */
    if (!status) status = adead_pipeline_matmul(mlp, w1, 2, b1, 0);        /* 3 to 2; w1 and b1 are copied */
    if (!status) status = adead_pipeline_map(mlp, ADEAD_COMPUTE_RELU, 0);
    if (!status) status = adead_pipeline_matmul(mlp, w2, 1, NULL, 0);      /* 2 to 1 */
    if (!status) status = adead_pipeline_run(mlp, x, 2, y);                /* two rows this time */

    if (status) fprintf(stderr, "%s (%s)\n", adead_last_error()->message, adead_status_name(status));
    else printf("%g\n%g\n", y[0], y[1]);
    adead_pipeline_destroy(mlp);
    adead_runtime_destroy(runtime);
    return status != ADEAD_OK;
}
