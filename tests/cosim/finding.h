/* What to do with a stream that fails: make it small, and leave a file that repeats it
 * and a waveform of the cycles that matter. */
#ifndef SYSTOLE_TESTS_COSIM_FINDING_H
#define SYSTOLE_TESTS_COSIM_FINDING_H

#include "shrink.h"
#include "trial.h"

typedef struct finding {
  stream smallest;
  trial_verdict verdict; /* of the smallest */
  shrink_report report;
  char file[512]; /* the stream, "" when it could not be written */
  char wave[512]; /* the waveform, likewise */
  char story[4096];
} finding;

/* `s` fails on `bench` with `verdict`, on a fresh device. Files go into `folder`, which
 * is made, under names of device and seed. Free with finding_free. */
void finding_make(finding *out, const stream *s, const trial_bench *bench,
                  const trial_verdict *verdict, const char *folder);
void finding_free(finding *f);

/* Story, files and the smallest stream. */
void finding_print(FILE *out, const finding *f);

#endif
