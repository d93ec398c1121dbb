/* Whole-process times of two commands, in turn: spawn ROUNDS COMMAND [ARG ...] -- COMMAND [ARG ...]
 *
 * Prints a line of two numbers per round: nanoseconds from before the process is made until it has been waited for. Both
 * run on the processor this program runs on (the affinity is set once and inherited), with standard input and output on
 * /dev/null; which of the two goes first changes with every round. Exits with 1 when a command cannot be run or fails.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t once(char **command, const posix_spawn_file_actions_t *actions)
{
    pid_t    child;
    int      status;
    uint64_t begin = now();
    int      error = posix_spawn(&child, command[0], actions, NULL, command, environ);
    if (error) {
        fprintf(stderr, "spawn: %s: %s\n", command[0], strerror(error));
        exit(1);
    }
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "spawn: %s failed\n", command[0]);
        exit(1);
    }
    return now() - begin;
}

int main(int argc, char **argv)
{
    int split = 2;
    while (split < argc && strcmp(argv[split], "--") != 0) split++;
    if (split < 3 || split + 1 >= argc) {
        fprintf(stderr, "usage: spawn ROUNDS COMMAND [ARG ...] -- COMMAND [ARG ...]\n");
        return 2;
    }
    char **commands[2] = {argv + 2, argv + split + 1};
    argv[split] = NULL;
#if defined(__linux__)
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one);
#endif
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    for (int i = 0; i < 10; i++) once(commands[i % 2], &quiet); /* files into the page cache */
    long rounds = strtol(argv[1], NULL, 10);
    for (long round = 0; round < rounds; round++) {
        uint64_t taken[2];
        for (int k = 0; k < 2; k++) {
            int which = (k + (int)(round & 1)) & 1;
            taken[which] = once(commands[which], &quiet);
        }
        printf("%llu %llu\n", (unsigned long long)taken[0], (unsigned long long)taken[1]);
    }
    return 0;
}
