/* Where in time a stream goes wrong, and the waveform of it.
 *
 * The stream runs three times, each time on a fresh model, which repeats every cycle:
 * once to its end, which shows the bytes that differ; once a few cycles at a time, until
 * the first of them changes in device memory; and once more with a waveform around that
 * cycle. A run that ends with an error, or never, has its window where data last moved.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel.h"
#include "library/device.h"
#include "trial.h"

enum {
  BEFORE = 600, /* cycles of the window before the difference */
  AFTER = 120,
  STEP = 8,       /* cycles between two looks at device memory */
  WATCHED = 4096, /* wrong bytes that are looked at */
  SLICE_MS = 1000,
  SLICES = 60 /* of a run that may never end */
};

/* A stream on a fresh device, through the card seam. */
typedef struct session {
  systole_device *device;
  const systole_card_ops *ops;
  systole_card *card;
  const systole_rtl_api *api;
  systole_rtl *model;
  systole_launch launch;
} session;

static systole_status put(session *x, systole_port port, const void *data, uint64_t bytes,
                          uint64_t *address) {
  systole_status status = x->ops->alloc(x->card, port, bytes, address);
  if (!status) status = x->ops->write(x->card, port, *address, data, bytes);
  return status;
}

/* Opens, fills memory, starts. Close the device also after a failure. */
static systole_status begin(session *x, const stream *s, const trial_bench *bench,
                            const char *path, uint64_t first, uint64_t cycles) {
  *x = (session){0};
  systole_status status = trial_device(&x->device, bench, path, first, cycles);
  if (status) return status;
  x->ops = systole_device_card(x->device, &x->card);
  x->model = bench->model(x->card, &x->api);
  x->launch.instructions = s->count;
  status =
      put(x, SYSTOLE_PORT_GMEM1, s->at, s->count * sizeof *s->at, &x->launch.program);
  if (!status) {
    status = put(x, SYSTOLE_PORT_GMEM1, s->weights, s->weight_bytes, &x->launch.weights);
  }
  if (!status) {
    status = put(x, SYSTOLE_PORT_GMEM0, s->activations, s->activation_bytes,
                 &x->launch.activations);
  }
  return status ? status : x->ops->start(x->card, &x->launch);
}

/* 1: it ended, well or badly. */
static int finish(session *x) {
  int done = 0;
  for (int slice = 0; slice < SLICES && !done; slice++) {
    if (x->ops->wait(x->card, SLICE_MS, &done) != SYSTOLE_OK) return 0;
  }
  return done;
}

static uint64_t beats(const session *x) {
  systole_rtl_traffic a, b;
  x->api->traffic(x->model, 0, &a);
  x->api->traffic(x->model, 1, &b);
  return a.read_beats + a.write_beats + b.read_beats + b.write_beats;
}

/* Whole-run facts. */
typedef struct outcome {
  int ended;
  uint32_t error;
  uint64_t cycles, start; /* model's clock: length of the run, and where it began */
  uint64_t all_beats;
  uint64_t *wrong; /* offsets of bytes that differ */
  size_t wrong_count;
} outcome;

static systole_status run_whole(outcome *o, const stream *s, const trial_bench *bench,
                                const uint8_t *expected) {
  const uint64_t bytes = s->activation_bytes;
  session x;
  uint8_t *got = malloc((size_t)bytes);
  o->wrong = malloc(WATCHED * sizeof *o->wrong);
  systole_status status = begin(&x, s, bench, NULL, 0, 0);
  if (status) goto done;
  o->start = x.api->cycles(x.model);
  o->ended = finish(&x);
  o->cycles = x.api->cycles(x.model) - o->start;
  o->all_beats = beats(&x);
  if (!o->ended) goto done;
  status = x.ops->read_register(x.card, SYSTOLE_REG_ERROR_CODE, &o->error);
  if (!status) {
    status = x.ops->read(x.card, SYSTOLE_PORT_GMEM0, x.launch.activations, got, bytes);
  }
  for (uint64_t i = 0; !status && i < bytes && o->wrong_count < WATCHED; i++) {
    if (got[i] != expected[i]) o->wrong[o->wrong_count++] = i;
  }
done:
  systole_device_close(x.device);
  free(got);
  return status;
}

/* Cycles from the start until one of the wrong bytes changes; without any, until the last
 * beat of data moves. */
static systole_status find_moment(uint64_t *moment, const outcome *o, const stream *s,
                                  const trial_bench *bench) {
  session x;
  uint8_t *now = malloc((size_t)s->activation_bytes);
  const int has_bytes = o->ended && o->error == 0 && o->wrong_count > 0;
  *moment = o->cycles;
  systole_status status = begin(&x, s, bench, NULL, 0, 0);
  for (uint64_t cycle = 0; !status && cycle < o->cycles; cycle += STEP) {
    if (!has_bytes && beats(&x) == o->all_beats) {
      *moment = cycle;
      break;
    }
    status = x.api->idle(x.model, STEP);
    if (status || !has_bytes) continue;
    status = x.ops->read(x.card, SYSTOLE_PORT_GMEM0, x.launch.activations, now,
                         s->activation_bytes);
    int changed = 0;
    for (size_t i = 0; !status && i < o->wrong_count; i++) {
      changed |= now[o->wrong[i]] != s->activations[o->wrong[i]];
    }
    if (!changed) continue;
    *moment = cycle + STEP;
    break;
  }
  systole_device_close(x.device);
  free(now);
  return status;
}

int trial_record(const stream *s, const trial_bench *bench, const char *path, char *story,
                 size_t story_bytes) {
  outcome o = {0};
  session x = {0};
  struct stat info;
  uint64_t moment = 0;
  int result = -1;
  uint8_t *expected = malloc((size_t)s->activation_bytes);
  systole_status status = trial_expect(s, bench, expected);
  if (!status) status = run_whole(&o, s, bench, expected);
  if (!status) status = find_moment(&moment, &o, s, bench);
  if (status) goto done;
  const uint64_t first = moment > BEFORE ? moment - BEFORE : 0;
  const uint64_t cycles = moment - first + AFTER;
  status = begin(&x, s, bench, path, first, cycles);
  if (!status && o.ended) (void)finish(&x);
  if (!status && !o.ended) status = x.api->idle(x.model, moment + AFTER);
  systole_device_close(x.device); /* completes the file */
  x.device = NULL;
  if (status) goto done;
  if (stat(path, &info) != 0 || info.st_size == 0) {
    (void)snprintf(story, story_bytes, "nothing was recorded in %s", path);
    goto done;
  }
  (void)snprintf(
      story, story_bytes,
      "cycles %" PRIu64 " to %" PRIu64 " of %" PRIu64 "; %s about cycle %" PRIu64, first,
      first + cycles - 1, o.cycles,
      o.ended && o.error == 0 && o.wrong_count ? "the first wrong byte reaches memory"
                                               : "data last moves",
      moment);
  result = 0;
done:
  if (status) (void)snprintf(story, story_bytes, "%s", systole_last_error());
  systole_device_close(x.device);
  free(o.wrong);
  free(expected);
  return result;
}
