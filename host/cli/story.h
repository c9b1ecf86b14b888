/* What went wrong, in words and as an exit code. The contract of exit codes is fixed:
 * scripts of users rely on it. */
#ifndef SYSTOLE_CLI_STORY_H
#define SYSTOLE_CLI_STORY_H

#include "systole/systole.h"

typedef enum systole_exit {
  SYSTOLE_EXIT_OK = 0,
  SYSTOLE_EXIT_WRONG = 1,  /* it ran, and the result is wrong */
  SYSTOLE_EXIT_USAGE = 2,  /* bad usage, bad input, or a place that cannot be written */
  SYSTOLE_EXIT_ABSENT = 3, /* the device or library is not here */
  SYSTOLE_EXIT_DEVICE = 4, /* the device failed, timed out or is out of its memory */
  SYSTOLE_EXIT_EXHAUSTED = 5,    /* this machine ran out of disk or memory */
  SYSTOLE_EXIT_INTERRUPTED = 130 /* Ctrl-C, as shells report it */
} systole_exit;

/* Stores the sentence for this thread and returns exit_code, so that a caller writes
 * `return systole_story(SYSTOLE_EXIT_USAGE, "...", ...)`. main prints it. */
int systole_story(int exit_code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for a failed library call: the formatted words, ": ", systole_last_error().
 * Returns the status's exit code; 0 and no story for SYSTOLE_OK. */
int systole_story_of(systole_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for a failed system call: the words, ": ", what error_number means. A full
 * disk is SYSTOLE_EXIT_EXHAUSTED, everything else SYSTOLE_EXIT_USAGE. */
int systole_story_errno(int error_number, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The stored sentence; "" when there is none. */
const char *systole_story_text(void);

int systole_exit_code(systole_status status);

#endif
