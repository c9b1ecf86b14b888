/* Ctrl-C and SIGTERM. The first asks for a clean stop, which every long loop grants soon;
 * a second ends the process at once, the unfinished output file removed. */
#ifndef SYSTOLE_CLI_SIGNALS_H
#define SYSTOLE_CLI_SIGNALS_H

void systole_signals_install(void);

/* 1 after the first signal. */
int systole_interrupted(void);

/* Stores the sentence and returns SYSTOLE_EXIT_INTERRUPTED. */
int systole_interrupted_story(void);

/* The file that a second signal must remove; NULL: none. Borrowed until replaced. */
void systole_signals_unfinished(const char *path);

#endif
