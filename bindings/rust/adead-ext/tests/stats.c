/* Calls the functions of examples/stats.rs through their header, as strict C99. Prints nothing when all is well. */
#include "../include/stats.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

static int64_t told;

static double plus(double value, int64_t number) { return value + (double)number; }
static void    tell(int32_t number) { told = told * 10 + number; }

#define CHECK(what) ((what) ? 0 : (printf("%d: %s\n", __LINE__, #what), 1))

int main(void)
{
    double  values[3] = {1.5, 2.0, 4.0}, made[3];
    float   small[2] = {1.0f, -3.0f};
    int64_t numbers[2] = {7, 8};
    int     wrong = CHECK(stats_sum(values, sizeof values) == 7.5);
    wrong += CHECK(stats_sum(NULL, 0) == 0.0);
    wrong += CHECK(isnan(stats_sum(values, 7)));
    wrong += CHECK(stats_scale(small, sizeof small, 0.5f) == 0 && small[0] == 0.5f && small[1] == -1.5f);
    wrong += CHECK(stats_scale(small, 6, 2.0f) == -1 && small[0] == 0.5f);
    wrong += CHECK(stats_at(numbers, sizeof numbers, 1) == 8);
    wrong += CHECK(stats_at(numbers, sizeof numbers, 2) == INT64_MIN); /* a panic, which is said on the error stream */
    wrong += CHECK(stats_map(values, sizeof values, made, sizeof made, plus) == 3);
    wrong += CHECK(made[0] == 1.5 && made[1] == 3.0 && made[2] == 6.0);
    wrong += CHECK(stats_map(values, sizeof values, values, sizeof values, plus) == -1 && values[1] == 2.0);
    stats_each(4, tell);
    wrong += CHECK(told == 123);
    return wrong != 0;
}
