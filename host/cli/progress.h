/* A progress bar on standard error: only on a terminal, only for work over a second. */
#ifndef SYSTOLE_CLI_PROGRESS_H
#define SYSTOLE_CLI_PROGRESS_H

#include <stdint.h>

typedef struct systole_bar {
  char title[96];
  double started, drawn; /* seconds of the monotonic clock */
  int terminal;          /* 1: standard error is a terminal */
  int visible;
  int steps; /* 1: not counted in MACs, so no rate is shown */
} systole_bar;

void systole_bar_start(systole_bar *bar, const char *title);

/* Fits systole_device_set_progress with the bar as user: draws at most ten times a second
 * and asks for a stop after Ctrl-C. */
int systole_bar_update(void *bar, uint64_t done_macs, uint64_t total_macs);

/* The same for work that is not counted in MACs. */
void systole_bar_steps(systole_bar *bar, uint64_t done, uint64_t total);

/* Clears the line. */
void systole_bar_end(systole_bar *bar);

#endif
