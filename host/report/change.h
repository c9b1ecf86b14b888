/* What changed between a baseline and this comparison, run by run.
 *
 * Simulated runs are compared by their cycles, which are the same on every machine: any
 * more are too many. Measured runs are compared by the time that a person waits (median
 * of the repeats), on the same CPU with as many cores only; what they may lose is the sum
 * of both interquartile ranges, at least 10 %, since that much lies between two quiet
 * mornings of one machine. --tolerance replaces both. */
#ifndef SYSTOLE_REPORT_CHANGE_H
#define SYSTOLE_REPORT_CHANGE_H

#include "report/baseline.h"
#include "report/report.h"

typedef enum systole_verdict {
  SYSTOLE_VERDICT_SAME,    /* within the tolerance */
  SYSTOLE_VERDICT_FASTER,  /* beyond it, to the better */
  SYSTOLE_VERDICT_SLOWER,  /* fails */
  SYSTOLE_VERDICT_WRONG,   /* fails: the result is wrong now */
  SYSTOLE_VERDICT_MISSING, /* fails: the device took part, and the product was not run */
  SYSTOLE_VERDICT_UNLIKE,  /* fails: other memory, clock or kind of device */
  SYSTOLE_VERDICT_NEW,     /* not in the baseline */
  SYSTOLE_VERDICT_ELSEWHERE, /* measured on another machine: shown, not judged */
  SYSTOLE_VERDICT_ABSENT,    /* of a device that does not take part now */
  SYSTOLE_VERDICTS
} systole_verdict;

typedef struct systole_change {
  char device[64], label[48];
  systole_verdict verdict;
  int exact; /* 1: before and after are cycles; 0: seconds waited */
  int has_before, has_after;
  double before, after;
  double gops_before, gops_after; /* 0: not known */
  double percent;                 /* by which `after` is more; with both */
  double tolerance;               /* percent that it may be more */
  char why[160];                  /* of what is not judged; "" else */
} systole_change;

/* Percent; negative: the default. */
typedef struct systole_tolerance {
  double cycles, measured;
} systole_tolerance;

struct systole_comparison {
  const systole_baseline *baseline; /* borrowed */
  systole_tolerance tolerance;
  systole_change *list; /* in the order of the results; then what only the baseline has */
  size_t count;
  size_t verdicts[SYSTOLE_VERDICTS];
  size_t failed; /* runs that fail */
};

/* Returns an exit code: 0, or that memory is exhausted. */
int systole_compare_runs(systole_comparison *out, const systole_baseline *baseline,
                         const systole_report *report, systole_tolerance tolerance);
void systole_comparison_free(systole_comparison *comparison);

const char *systole_verdict_word(systole_verdict verdict);
int systole_verdict_fails(systole_verdict verdict);

/* "12 same, 1 slower, 2 new" */
void systole_comparison_summary(char *out, size_t size,
                                const systole_comparison *comparison);
/* "66,900 cycles" or "1.23 ms"; "" when it is not known. */
void systole_change_figure(char *out, size_t size, const systole_change *change,
                           int after);
/* "+1.2 %"; "" without both. */
void systole_change_percent(char *out, size_t size, const systole_change *change);

/* The object "comparison" of results.json; NULL when memory is exhausted. */
cJSON *systole_comparison_json(const systole_comparison *comparison);

#endif
