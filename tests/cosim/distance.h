/* How far a card's counters are from the RTL's, over many runs. */
#ifndef SYSTOLE_TESTS_COSIM_DISTANCE_H
#define SYSTOLE_TESTS_COSIM_DISTANCE_H

#include <stdint.h>
#include <stdio.h>

#include "systole/systole.h"

enum { DISTANCE_BUCKETS = 8 };

typedef struct distance {
  int runs;
  int in[DISTANCE_BUCKETS]; /* runs whose cycles are equal, within 0.1 %, ... */
  double sum, worst;        /* of |cycles / the RTL's - 1| */
  uint64_t worst_seed;
  int same_ledger;               /* runs whose ledger is the RTL's in every part */
  double parts_sum, parts_worst; /* cycles in another part of it, of all cycles */
  uint64_t parts_seed;
  int same_counts; /* runs whose other counters are all the RTL's: bytes, rows, MACs */
  uint64_t counts_seed;
} distance;

/* 1 when everything is the same. */
int distance_add(distance *d, const systole_stats *card, const systole_stats *rtl,
                 uint64_t seed);

double distance_mean(const distance *d);  /* of cycles; 0 for no runs */
double distance_parts(const distance *d); /* mean of the cycles in another part */

/* Two lines: cycles, ledger and counts. */
void distance_print(FILE *out, const distance *d, const char *what);

/* The parts of both ledgers beside each other. */
void distance_print_ledgers(FILE *out, const systole_stats *card,
                            const systole_stats *rtl);

#endif
