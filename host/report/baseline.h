/* An earlier comparison's results.json, to set this one beside it. */
#ifndef SYSTOLE_REPORT_BASELINE_H
#define SYSTOLE_REPORT_BASELINE_H

#include <stddef.h>
#include <stdint.h>

typedef struct systole_baseline_run {
  char device[64], workload[16], label[48];
  int64_t m, n, k;
  int exact; /* 1: simulated, and cycles are the same on every machine */
  uint64_t cycles;
  char memory[24];
  double clock_mhz;                       /* 0: not known */
  double wall_s, wall_low_s, wall_high_s; /* median and quartiles; low 0: one run */
  double gops;                            /* 0: not known */
} systole_baseline_run;

typedef struct systole_baseline {
  char *path;
  char date[32], version[32], workload[64], cpu[128];
  int cores;
  systole_baseline_run *runs;
  size_t count;
} systole_baseline;

/* Reads and checks the file. Returns an exit code with a story: a file that is missing,
 * too large, no JSON, cut short, of another program or of another schema is bad input. */
int systole_baseline_open(systole_baseline *out, const char *path);
void systole_baseline_free(systole_baseline *baseline);

#endif
