/* Progress on a terminal: whatever takes longer than two seconds shows one line on stderr, updated every second and erased
 * at the end. Where stderr is no terminal nothing happens, and no thread is made.
 */
#ifndef ADEAD_CLI_PROGRESS_H
#define ADEAD_CLI_PROGRESS_H

/* `what` is borrowed until progress_stop; control characters in it are shown as `?`. */
void progress_start(const char *what);
/* Something else now shows that work goes on (the program writes to the same terminal): says nothing from here on. */
void progress_quiet(void);
/* Takes the line away because output follows; it comes back with the next second. */
void progress_clear(void);
void progress_stop(void);

#endif
