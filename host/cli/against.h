/* What `compare` does for CI: sets its runs beside a baseline, and writes JUnit XML and
 * Markdown. */
#ifndef SYSTOLE_CLI_AGAINST_H
#define SYSTOLE_CLI_AGAINST_H

#include <argp.h>

#include "output.h"
#include "report/change.h"

typedef struct systole_against {
  const char *baseline_path, *junit_path, *markdown_path; /* NULL: not wanted */
  systole_tolerance tolerance; /* of SYSTOLE_AGAINST_INIT until it is given */
  int has_tolerance;
  int *failed; /* where the exit code of a bad value goes; its story is stored */
  systole_baseline baseline;
  systole_comparison comparison;
  systole_output *junit, *markdown;
} systole_against;
#define SYSTOLE_AGAINST_INIT \
  {                          \
    .tolerance = { -1, -1 }  \
  }

/* input: systole_against. Options: --baseline, --tolerance, --junit, --markdown. */
extern const struct argp systole_against_argp;

/* Before the long work: reads the baseline, which must be of the same workload, and opens
 * the files. Returns an exit code. */
int systole_against_open(systole_against *against, const char *workload);

/* Judges, and lets the report tell. Returns an exit code: a fault, not a verdict. */
int systole_against_judge(systole_against *against, systole_report *report);

/* JUnit XML and Markdown. Returns an exit code. */
int systole_against_write(systole_against *against, const systole_report *report);

/* For people, on standard output. */
void systole_against_show(const systole_against *against);

/* SYSTOLE_EXIT_WRONG with a story when a run fails, else 0. */
int systole_against_code(const systole_against *against);

/* Files that were not written are discarded. */
void systole_against_close(systole_against *against);

#endif
