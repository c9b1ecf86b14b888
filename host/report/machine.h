/* The machine that measured: whoever compares two reports needs to know. */
#ifndef SYSTOLE_REPORT_MACHINE_H
#define SYSTOLE_REPORT_MACHINE_H

#include <stdint.h>

typedef struct systole_machine {
  char cpu[128];    /* "" when not known, as the next two */
  char system[128]; /* distribution */
  char kernel[128];
  int cores;             /* that this process may use */
  uint64_t memory_bytes; /* 0: not known */
} systole_machine;

void systole_machine_describe(systole_machine *out);

/* CPU seconds that everything on this machine has used since it started; negative when
 * that is not known. The difference over a span, less one's own, is what others took. */
double systole_machine_busy_s(void);

#endif
