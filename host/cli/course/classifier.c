#include "course/classifier.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "signals.h"
#include "story.h"
#include "support/clock.h"

enum { Inputs = 784, Classes = 10 };

double systole_classifier_parameters(int64_t hidden) {
  const double n = (double)hidden;
  return Inputs * n + n + n * n + n + n * Classes + Classes;
}

double systole_classifier_macs(int64_t hidden) {
  const double n = (double)hidden;
  return Inputs * n + n * n + n * Classes;
}

int systole_classifier_open(systole_classifier *out, int64_t hidden, int64_t batch,
                            uint64_t seed, systole_device *cpu) {
  memset(out, 0, sizeof *out);
  const systole_workload_request request = {
      .name = "mlp", .hidden = hidden, .batch = batch, .seed = seed};
  int code = systole_workload_open(&out->workload, &request);
  if (code == 0) code = systole_workload_solve(&out->workload, cpu);
  out->hidden = hidden;
  out->batch = batch;
  if (code != 0) systole_classifier_close(out);
  return code;
}

void systole_classifier_close(systole_classifier *classifier) {
  systole_workload_free(&classifier->workload);
}

int systole_classifier_sit(systole_classifier_seat *out,
                           const systole_classifier *classifier,
                           const systole_station *station) {
  memset(out, 0, sizeof *out);
  out->classifier = classifier;
  out->station = station;
  const int64_t widest =
      classifier->hidden > Classes ? classifier->hidden : (int64_t)Classes;
  out->out = malloc((size_t)(classifier->batch * widest) * sizeof(int32_t));
  if (out->out == NULL) return systole_story_errno(ENOMEM, "cannot hold the results");
  int code = 0;
  for (int i = 0; i < SystoleClassifierLayers && code == 0; i++) {
    const systole_job *job = &classifier->workload.items[i].job;
    code = systole_story_of(
        systole_weights_prepare(&out->weights[i], station->device, job->n, job->k, job->b,
                                job->n, job->epilogue),
        "%s cannot take the network's weights", systole_device_name(station->device));
  }
  if (code != 0) systole_classifier_leave(out);
  return code;
}

void systole_classifier_leave(systole_classifier_seat *seat) {
  for (int i = 0; i < SystoleClassifierLayers; i++) {
    systole_weights_free(seat->weights[i]);
  }
  free(seat->out);
  memset(seat, 0, sizeof *seat);
}

static uint64_t compare(const systole_item *item, const void *c, int64_t rows) {
  const size_t count = (size_t)rows * (size_t)item->job.n;
  uint64_t wrong = 0;
  if (systole_job_is_s8(&item->job)) {
    const int8_t *found = c, *right = item->expected;
    for (size_t i = 0; i < count; i++) wrong += found[i] != right[i];
  } else {
    const int32_t *found = c, *right = item->expected;
    for (size_t i = 0; i < count; i++) wrong += found[i] != right[i];
  }
  return wrong;
}

static void add_energy(systole_bounds *sum, const systole_bounds *more, int first) {
  if (first) {
    *sum = *more;
  } else if (more->kind == SYSTOLE_KIND_UNKNOWN || sum->kind != more->kind) {
    sum->kind = SYSTOLE_KIND_UNKNOWN;
  } else {
    sum->low += more->low;
    sum->nominal += more->nominal;
    sum->high += more->high;
  }
}

int systole_classifier_pass(systole_pass *out, uint64_t *mismatches,
                            systole_classifier_seat *seat, int64_t batch) {
  memset(out, 0, sizeof *out);
  const systole_workload *workload = &seat->classifier->workload;
  const systole_geometry *geometry = &seat->station->geometry;
  int known = 1;
  if (mismatches != NULL) *mismatches = 0;
  for (int i = 0; i < SystoleClassifierLayers; i++) {
    const systole_item *item = &workload->items[i];
    const systole_job *job = &item->job;
    systole_stats stats;
    const double started = systole_wall_seconds();
    const systole_status status = systole_gemm_s8_prepared(
        seat->weights[i], batch, job->a, job->k, seat->out, job->n, &stats);
    out->wall_s += systole_wall_seconds() - started;
    if (status == SYSTOLE_ERR_INTERRUPTED || systole_interrupted()) {
      return systole_interrupted_story();
    }
    if (status != SYSTOLE_OK) {
      return systole_story_of(status, "%s failed on layer %d of the network",
                              systole_device_name(seat->station->device), i + 1);
    }
    if (mismatches != NULL) *mismatches += compare(item, seat->out, batch);
    systole_shares shares;
    systole_shares_of(&shares, &stats, geometry,
                      systole_shares_link_bytes(geometry, batch, job->n, job->k,
                                                systole_job_is_s8(job), 0));
    known = known && shares.known;
    out->shares.host_s += shares.host_s;
    out->shares.transfer_s += shares.transfer_s;
    out->shares.compute_s += shares.compute_s;
    out->shares.transfer_kind = shares.transfer_kind;
    out->shares.compute_kind = shares.compute_kind;
    out->cycles += stats.has_cycles ? stats.cycles : 0;
    add_energy(&out->energy_j, &stats.energy_j, i == 0);
  }
  out->shares.known = known;
  out->end_s = known ? systole_shares_total(&out->shares) : out->wall_s;
  out->device_s = known ? out->shares.compute_s : out->wall_s;
  return 0;
}

int systole_passes_add(systole_passes *passes, const systole_pass *pass) {
  if (passes->count == passes->capacity) {
    const size_t capacity = passes->capacity == 0 ? 8 : 2 * passes->capacity;
    systole_pass *grown = realloc(passes->list, capacity * sizeof *grown);
    if (grown == NULL) return systole_story_errno(ENOMEM, "cannot keep the measurements");
    passes->list = grown;
    passes->capacity = capacity;
  }
  passes->list[passes->count++] = *pass;
  return 0;
}

void systole_passes_free(systole_passes *passes) {
  free(passes->list);
  memset(passes, 0, sizeof *passes);
}

static int by_end(const void *left, const void *right) {
  const systole_pass *a = left, *b = right;
  return (a->end_s > b->end_s) - (a->end_s < b->end_s);
}

void systole_passes_sort(systole_passes *passes) {
  if (passes->count > 1) {
    qsort(passes->list, passes->count, sizeof passes->list[0], by_end);
  }
}

/* The smallest that a share q of all does not exceed. */
static size_t rank(const systole_passes *passes, double q) {
  const double index = ceil(q * (double)passes->count) - 1;
  return index > 0 ? (size_t)index : 0;
}

double systole_passes_end(const systole_passes *passes, double q) {
  return passes->count > 0 ? passes->list[rank(passes, q)].end_s : NAN;
}

const systole_pass *systole_passes_median(const systole_passes *passes) {
  return passes->count > 0 ? &passes->list[rank(passes, 0.5)] : NULL;
}
