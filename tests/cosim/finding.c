/* mkdir. */
#define _POSIX_C_SOURCE 200809L
#include "finding.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stream_file.h"

typedef struct same_failure {
  const trial_bench *bench;
  trial_kind kind;
} same_failure;

static int fails_alike(void *user, const stream *candidate) {
  const same_failure *wanted = user;
  trial_verdict verdict;
  trial_run(&verdict, candidate, wanted->bench, NULL);
  return verdict.kind == wanted->kind;
}

/* The folder and those above it. */
static void make_folders(const char *folder) {
  char path[512];
  (void)snprintf(path, sizeof path, "%s/", folder);
  for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    (void)mkdir(path, 0777); /* what is missing at the end is told by fopen */
    *slash = '/';
  }
}

/* The simplest memory on which it still fails. */
static trial_bench simplest_bench(const stream *s, const trial_bench *bench,
                                  trial_kind kind) {
  trial_bench simple = *bench;
  same_failure wanted = {&simple, kind};
  simple.memory = "ideal";
  simple.stall_seed = 0;
  if (fails_alike(&wanted, s)) return simple;
  simple.stall_seed = bench->stall_seed;
  if (fails_alike(&wanted, s)) return simple;
  simple.memory = bench->memory;
  simple.stall_seed = 0;
  return fails_alike(&wanted, s) ? simple : *bench;
}

static void write_file(finding *f, const trial_bench *bench) {
  stream_place place = {.stall_seed = bench->stall_seed};
  char about[2600];
  (void)snprintf(place.device, sizeof place.device, "%s:%s", bench->ops->scheme,
                 bench->what);
  (void)snprintf(place.memory, sizeof place.memory, "%s", bench->memory);
  (void)snprintf(about, sizeof about,
                 "The smallest stream that still gives %s:\n%s\n"
                 "Again: build/release/tests/streams --replay THIS_FILE [--wave OUT.fst]",
                 trial_kind_name(f->verdict.kind), f->verdict.story);
  FILE *out = fopen(f->file, "w");
  int good = out != NULL;
  if (good) {
    stream_write(out, &f->smallest, &place, about);
    good = !ferror(out);
    good &= fclose(out) == 0;
  }
  if (!good) {
    (void)fprintf(stderr, "cannot write %s: %s\n", f->file, strerror(errno));
    f->file[0] = 0;
  }
}

void finding_make(finding *f, const stream *s, const trial_bench *bench,
                  const trial_verdict *verdict, const char *folder) {
  char name[300], wave[512] = "";
  *f = (finding){.verdict = *verdict};
  const trial_bench simple = simplest_bench(s, bench, verdict->kind);
  same_failure wanted = {&simple, verdict->kind};
  f->smallest = shrink(s, fails_alike, &wanted, &f->report);
  trial_run(&f->verdict, &f->smallest, &simple, NULL);

  (void)snprintf(name, sizeof name, "%s/%s-%s-seed-%" PRIu64, folder, bench->ops->scheme,
                 bench->what, s->seed);
  for (char *c = name + strlen(folder) + 1; *c; c++) {
    if (*c == ':' || *c == '/') *c = '-';
  }
  make_folders(folder);
  (void)snprintf(f->file, sizeof f->file, "%s.stream", name);
  write_file(f, &simple);
  (void)snprintf(f->wave, sizeof f->wave, "%s.fst", name);
  if (trial_record(&f->smallest, &simple, f->wave, wave, sizeof wave) != 0) {
    (void)unlink(f->wave);
    f->wave[0] = 0;
  }
  (void)snprintf(
      f->story, sizeof f->story,
      "%s:%s, seed %" PRIu64 " (SYSTOLE_TEST_SEED=%" PRIu64
      "), memory %s, stalls %" PRIu64
      ": %s\n"
      "smallest stream: %u of %u instructions after %u runs%s, memory %s, stalls %" PRIu64
      ": %s\n"
      "to repeat it: %s\nwaveform: %s%s(%s)",
      bench->ops->scheme, bench->what, s->seed, s->seed, bench->memory, bench->stall_seed,
      verdict->story, f->report.instructions_after, f->report.instructions_before,
      f->report.trials, f->report.exhausted ? " (given up, it may be smaller)" : "",
      simple.memory, simple.stall_seed, f->verdict.story, f->file, f->wave,
      f->wave[0] ? " " : "none ", wave);
}

void finding_print(FILE *out, const finding *f) {
  (void)fprintf(out, "%s\n", f->story);
  stream_print(out, &f->smallest);
}

void finding_free(finding *f) { stream_free(&f->smallest); }
