/* Why a run is below the array's peak, and what would change it.
 *
 * The reason is read off the ledger: whatever took most cycles, beside the bytes that the
 * shape wants in a cycle and those that a port brings. What would change it is tried out:
 * candidates (a larger batch, int8 results, other memory, whole tiles, another array,
 * wider ports, ...) are planned and forecast as if they ran, and the best are kept. */
#ifndef SYSTOLE_REPORT_EXPLAIN_H
#define SYSTOLE_REPORT_EXPLAIN_H

#include <stddef.h>
#include <stdint.h>

#include "systole/systole.h"

/* What runs where: all that a candidate may change. */
typedef struct systole_setup {
  char device[64]; /* name it can be opened by; "" when nobody has built it */
  systole_geometry geometry;
  const char *memory; /* preset; NULL: real memory, nothing can be forecast */
  double clock_mhz;
  int64_t m; /* rows of A: the batch; images of a convolution */
  int64_t n, k;
  int int8_results, bias;
} systole_setup;

/* One thing to try. */
typedef struct systole_advice {
  char what[40]; /* "batch", "int8", "batch and int8", "memory", "n", "k", "device",
                    "port", ... */
  int hardware;  /* 1: needs a device that is not here */
  char say[64];  /* "batch 64", "ports of 32 bytes" */
  systole_setup setup;
  uint64_t cycles;
  double utilisation, gops;
  char command[320]; /* that runs it; "" when hardware */
} systole_advice;

enum { SystoleAdvices = 4 };

typedef struct systole_explanation {
  char limit[16];     /* "weights", "results", "activations", "buffer", "size", "padding",
                         "program", "nothing"; "" when nothing is explained */
  char sentence[512]; /* for people: the reason and the best advice */
  systole_advice advice[SystoleAdvices]; /* what can be done here first, best first */
  int count;
} systole_explanation;

/* How a workload is forecast under another setup, and which command runs it. */
typedef struct systole_subject {
  systole_setup setup; /* of the run */
  int whole_tiles;     /* 1: n and k may be rounded up to whole tiles */
  int int8_possible;   /* 1: the command line can ask for int8 results */
  const char *batch;   /* what m is called: "batch" */
  int64_t least_batch; /* that is worth trying */
  systole_status (*forecast)(systole_stats *out, const systole_setup *setup, void *user);
  /* NULL or "" in `out`: there is no such command. */
  void (*command)(char *out, size_t bytes, const systole_setup *setup, void *user);
  /* Other devices that are here, device and geometry filled; returns how many. NULL:
   * none.
   */
  int (*others)(systole_setup *out, int most, void *user);
  void *user;
} systole_subject;

/* `stats` are those of the run; without cycles nothing is explained. */
void systole_explain(systole_explanation *out, const systole_subject *subject,
                     const systole_stats *stats);

#endif
