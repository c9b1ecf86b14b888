/* Random command streams on one device, for as long as one likes, and streams from files.
 *
 *   streams --device rtl:16 --first 1 --count 1000     see --help
 *   streams --replay build/release/tests/failures/rtl-16-seed-5.stream
 *
 * Exit: 0 all agree with the interpreter, 1 one did not, 2 bad usage or file, 3 the
 * device is not here. */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "finding.h"
#include "kernel.h"
#include "stream_file.h"
#include "trial.h"

typedef struct request {
  const char *device, *twin, *replay, *wave, *out;
  uint64_t first, count;
} request;

enum { KEY_TWIN = 1000, KEY_FIRST, KEY_COUNT, KEY_REPLAY, KEY_WAVE, KEY_OUT };

static const struct argp_option options[] = {
    {"device", 'd', "NAME", 0, "Simulated device (default rtl:16; of the file)", 1},
    {"twin", KEY_TWIN, "NAME", 0,
     "A second device that must take the same cycles, e.g. rtl:16:readable", 1},
    {"first", KEY_FIRST, "SEED", 0, "First seed (default 1)", 2},
    {"count", KEY_COUNT, "N", 0, "Number of seeds (default 1000)", 2},
    {"out", KEY_OUT, "FOLDER", 0,
     "Where a stream that fails goes, made small, with its waveform (default failures)",
     2},
    {"replay", KEY_REPLAY, "FILE", 0, "Run the stream of this file instead", 3},
    {"wave", KEY_WAVE, "OUT.fst", 0, "With --replay: record the cycles that matter", 3},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state) {
  request *r = state->input;
  char *end = NULL;
  uint64_t *number = NULL;
  switch (key) {
    case 'd':
      r->device = text;
      break;
    case KEY_TWIN:
      r->twin = text;
      break;
    case KEY_REPLAY:
      r->replay = text;
      break;
    case KEY_WAVE:
      r->wave = text;
      break;
    case KEY_OUT:
      r->out = text;
      break;
    case KEY_FIRST:
    case KEY_COUNT:
      number = key == KEY_FIRST ? &r->first : &r->count;
      errno = 0;
      *number = strtoull(text, &end, 10);
      if (*text < '0' || *text > '9' || *end != 0 || errno != 0) {
        argp_error(state, "'%s' is not a number", text);
      }
      break;
    case ARGP_KEY_ARG:
      argp_error(state, "'%s' is not expected", text);
      break;
    case ARGP_KEY_END:
      if (r->wave && !r->replay) argp_error(state, "--wave goes with --replay");
      break;
    default:
      return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .doc =
        "Runs random command streams on simulated RTL and on an interpreter, and "
        "compares memory, counters and the ledger. A stream that fails is made small."};

/* A bench on `device`, "rtl:16"; 0 when there is none. */
static int open_bench(trial_bench *bench, systole_geometry *g, const char *device) {
  systole_device *opened = NULL;
  if (strncmp(device, "rtl:", 4) != 0) {
    (void)fprintf(stderr, "streams: '%s' is no device of simulated RTL, such as rtl:16\n",
                  device);
    return 0;
  }
  *bench = (trial_bench){&systole_card_rtl,     device + 4, "ideal", 0, NULL,
                         systole_card_rtl_model};
  systole_status status = trial_device(&opened, bench, NULL, 0, 0);
  if (!status) status = systole_device_geometry(opened, g);
  systole_device_close(opened);
  if (!status) bench->interpreter = trial_interpreter(g);
  if (bench->interpreter) return 1;
  (void)fprintf(stderr, "streams: %s\n", systole_last_error());
  return 0;
}

/* ---- a file -------------------------------------------------------------------------
 */

static int replay(const request *r) {
  stream s = {.seed = 0};
  stream_place place;
  trial_bench bench = {.interpreter = NULL};
  systole_geometry g;
  trial_verdict verdict;
  char story[512] = "", device[64];
  FILE *in = fopen(r->replay, "r");
  int result = 2;
  if (in == NULL) {
    (void)fprintf(stderr, "streams: cannot read %s: %s\n", r->replay, strerror(errno));
    return 2;
  }
  if (stream_read(&s, &place, in, story, sizeof story) != 0) {
    (void)fprintf(stderr, "streams: %s: %s\n", r->replay, story);
    goto done;
  }
  (void)snprintf(device, sizeof device, "%s", r->device ? r->device : place.device);
  if (!open_bench(&bench, &g, device)) {
    result = 3;
    goto done;
  }
  if (g.dim != s.geometry.dim || g.axi_bytes != s.geometry.axi_bytes) {
    (void)fprintf(stderr,
                  "streams: %s is for an array of %d with a port of %d bytes; %s has %d "
                  "and %d\n",
                  r->replay, s.geometry.dim, s.geometry.axi_bytes, device, g.dim,
                  g.axi_bytes);
    goto done;
  }
  s.geometry = g; /* what differs, the proof looks at */
  bench.memory = place.memory;
  bench.stall_seed = place.stall_seed;
  stream_print(stdout, &s);
  trial_run(&verdict, &s, &bench, NULL);
  result = verdict.kind != TRIAL_GOOD;
  if (result) {
    (void)printf("%s: %s: %s\n", device, trial_kind_name(verdict.kind), verdict.story);
  } else {
    (void)printf("%s: agrees with the interpreter, %" PRIu64 " cycles\n", device,
                 verdict.stats.cycles);
  }
  if (r->wave && trial_record(&s, &bench, r->wave, story, sizeof story) == 0) {
    (void)printf("waveform: %s (%s)\n", r->wave, story);
  } else if (r->wave) {
    (void)fprintf(stderr, "streams: no waveform: %s\n", story);
    result = result ? result : 3;
  }
done:
  (void)fclose(in);
  trial_close(&bench);
  stream_free(&s);
  return result;
}

/* ---- seeds --------------------------------------------------------------------------
 */

typedef struct totals {
  uint64_t streams, instructions, cycles, stalled, wrong;
} totals;

static void try_seed(totals *t, trial_bench *bench, trial_bench *twin,
                     const systole_geometry *g, uint64_t seed, const char *folder) {
  trial_verdict verdict, other;
  stream s = stream_make(g, seed);
  const trial_bench *failed = NULL;
  trial_draw_memory(bench, seed);
  trial_run(&verdict, &s, bench, NULL);
  t->streams++;
  t->instructions += s.count;
  t->cycles += verdict.stats.cycles;
  t->stalled += bench->stall_seed != 0;
  if (verdict.kind != TRIAL_GOOD) failed = bench;
  if (!failed && twin->interpreter) {
    trial_draw_memory(twin, seed);
    trial_run(&other, &s, twin, NULL);
    const char *difference = NULL;
    if (other.kind != TRIAL_GOOD) {
      failed = twin;
      verdict = other;
    } else if ((difference = kernel_compare_stats(&verdict.stats, &other.stats))) {
      t->wrong++;
      (void)printf("WRONG seed %" PRIu64 ": %s on rtl:%s and rtl:%s\n", seed, difference,
                   bench->what, twin->what);
      stream_print(stdout, &s);
    }
  }
  if (failed) {
    finding f;
    t->wrong++;
    finding_make(&f, &s, failed, &verdict, folder);
    (void)printf("WRONG ");
    finding_print(stdout, &f);
    finding_free(&f);
  }
  (void)fflush(stdout);
  stream_free(&s);
}

int main(int argc, char **argv) {
  request r = {.first = 1, .count = 1000, .out = "failures"};
  trial_bench bench = {.interpreter = NULL}, twin = {.interpreter = NULL};
  systole_geometry g, of_twin;
  totals t = {0};
  enum { MOST_WRONG = 5 };
  argp_err_exit_status = 2;
  if (argp_parse(&parser, argc, argv, 0, NULL, &r) != 0) return 2;
  if (r.replay) return replay(&r);
  if (!r.device) r.device = "rtl:16";
  if (!open_bench(&bench, &g, r.device)) return 3;
  if (r.twin && !open_bench(&twin, &of_twin, r.twin)) return 3;
  for (uint64_t n = 0; n < r.count && t.wrong < MOST_WRONG; n++) {
    try_seed(&t, &bench, &twin, &g, r.first + n, r.out);
  }
  trial_close(&twin);
  trial_close(&bench);
  (void)printf("%" PRIu64 " streams, %" PRIu64 " instructions, %" PRIu64
               " cycles, %" PRIu64 " under random stalls, %" PRIu64 " wrong\n",
               t.streams, t.instructions, t.cycles, t.stalled, t.wrong);
  return t.wrong != 0;
}
