#include "measure.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "signals.h"
#include "story.h"
#include "support/clock.h"

/* More samples would not move the median and cost memory for tiny products. */
enum { MaxSamples = 1000 };

int systole_job_is_s8(const systole_job *job) {
  return job->epilogue != NULL && job->epilogue->multiplier != NULL;
}

void systole_samples_free(systole_samples *samples) {
  free(samples->stats);
  memset(samples, 0, sizeof *samples);
}

int systole_samples_add(systole_samples *samples, const systole_stats *stats) {
  if (samples->count == samples->capacity) {
    const size_t capacity = samples->capacity == 0 ? 8 : 2 * samples->capacity;
    systole_stats *grown = realloc(samples->stats, capacity * sizeof *grown);
    if (grown == NULL) return systole_story_errno(ENOMEM, "cannot keep the measurements");
    samples->stats = grown;
    samples->capacity = capacity;
  }
  samples->stats[samples->count++] = *stats;
  return 0;
}

int systole_station_open(systole_station *out, const char *name,
                         const systole_device_options *options) {
  memset(out, 0, sizeof *out);
  int code = systole_open(&out->device, name, options);
  if (code != 0) return code;
  out->record_path = options->record_path;
  out->format = systole_device_format(out->device);
  code = systole_story_of(systole_device_geometry(out->device, &out->geometry),
                          "device '%s' does not tell its geometry", name);
  if (code != 0) {
    systole_station_close(out);
    return code;
  }
  const systole_status status =
      systole_device_measured_peak(out->device, &out->peak_gops, &out->peak_instruction);
  if (status != SYSTOLE_OK || !(out->peak_gops > 0)) {
    out->peak_gops = 0;
    out->peak_instruction = NULL;
  }
  if (strncmp(name, "cpu", 3) == 0) {
    out->threads = systole_threads_meant(options->threads);
  }
  return 0;
}

void systole_station_close(systole_station *station) {
  systole_device_close(station->device);
  memset(station, 0, sizeof *station);
}

int systole_station_finish(systole_station *station, int code, int quiet) {
  const char *path = station->record_path;
  const int worth_keeping = code == SYSTOLE_EXIT_OK || code == SYSTOLE_EXIT_WRONG ||
                            code == SYSTOLE_EXIT_DEVICE;
  if (station->device != NULL && path != NULL && worth_keeping &&
      !systole_interrupted()) {
    uint64_t runs = 0;
    int cut = 0;
    const systole_status status =
        systole_device_save_recording(station->device, &runs, &cut);
    if (status != SYSTOLE_OK) {
      /* An earlier story is the more important one. */
      if (code == 0) code = systole_story_of(status, "the result is good, but");
    } else if (cut) {
      fprintf(stderr,
              "systole: note: the recording %s reached its limit and ends after %" PRIu64
              " run%s; --record-limit MIB allows more\n",
              path, runs, runs == 1 ? "" : "s");
    } else if (!quiet) {
      printf("\n  recorded %" PRIu64 " run%s in %s\n", runs, runs == 1 ? "" : "s", path);
    }
  }
  systole_station_close(station);
  return code;
}

int systole_station_varies(const systole_station *station) {
  return station->geometry.dim == 0;
}

static int failed(systole_status status, const char *device, const systole_job *job) {
  if (status == SYSTOLE_ERR_INTERRUPTED) return systole_interrupted_story();
  return systole_story_of(status, "%s failed on %lld x %lld x %lld", device,
                          (long long)job->m, (long long)job->n, (long long)job->k);
}

int systole_station_prepare(systole_weights **out, const systole_station *station,
                            const systole_job *job) {
  const int64_t ldb = job->n > 0 ? job->n : 1;
  const systole_status status =
      station->format == SYSTOLE_FORMAT_S8
          ? systole_weights_prepare(out, station->device, job->n, job->k, job->b, ldb,
                                    job->epilogue)
          : systole_weights_prepare_f32(out, station->device, job->n, job->k, job->b_f32,
                                        ldb, NULL);
  return systole_story_of(status, "%s cannot take B",
                          systole_device_name(station->device));
}

int systole_measure_once(systole_samples *samples, const systole_station *station,
                         const systole_job *job, void *c) {
  systole_stats stats;
  systole_status status;
  memset(&stats, 0, sizeof stats);
  const int64_t lda = job->k > 0 ? job->k : 1, ldb = job->n > 0 ? job->n : 1;
  if (station->format != SYSTOLE_FORMAT_S8) {
    status = systole_gemm_f32(station->device, job->m, job->n, job->k, job->a_f32, lda,
                              job->b_f32, ldb, c, ldb, &stats);
  } else if (job->epilogue == NULL) {
    status = systole_gemm_s8(station->device, job->m, job->n, job->k, job->a, lda, job->b,
                             ldb, c, ldb, &stats);
  } else {
    systole_weights *weights = NULL;
    const double started = systole_wall_seconds(), worked = systole_cpu_seconds();
    status = systole_weights_prepare(&weights, station->device, job->n, job->k, job->b,
                                     ldb, job->epilogue);
    const double prepared = systole_wall_seconds() - started;
    const double prepared_cpu = systole_cpu_seconds() - worked;
    if (status == SYSTOLE_OK) {
      status = systole_gemm_s8_prepared(weights, job->m, job->a, lda, c, ldb, &stats);
    }
    systole_weights_free(weights);
    const double total = stats.wall_s + prepared;
    stats.host_share =
        total > 0 ? (stats.host_share * stats.wall_s + prepared) / total : 0;
    stats.wall_s = total;
    stats.cpu_s += prepared_cpu;
  }
  if (status != SYSTOLE_OK)
    return failed(status, systole_device_name(station->device), job);
  return systole_samples_add(samples, &stats);
}

int systole_measure_prepared(systole_samples *samples, const systole_weights *weights,
                             const systole_job *job, void *c, int runs, double budget_s) {
  const double started = systole_wall_seconds();
  const int64_t lda = job->k > 0 ? job->k : 1, ldc = job->n > 0 ? job->n : 1;
  for (int run = 0; runs > 0 ? run < runs : run < MaxSamples; run++) {
    if (runs == 0 && run > 0 && systole_wall_seconds() - started > budget_s) break;
    systole_stats stats;
    memset(&stats, 0, sizeof stats);
    const systole_status status =
        systole_weights_format(weights) == SYSTOLE_FORMAT_S8
            ? systole_gemm_s8_prepared(weights, job->m, job->a, lda, c, ldc, &stats)
            : systole_gemm_f32_prepared(weights, job->m, job->a_f32, lda, c, ldc, &stats);
    if (status != SYSTOLE_OK) return failed(status, "the device", job);
    const int code = systole_samples_add(samples, &stats);
    if (code != 0) return code;
    if (systole_interrupted()) return systole_interrupted_story();
  }
  return 0;
}

int systole_warm_up(const systole_weights *weights, const systole_job *job, void *c) {
  systole_samples warm = {0};
  int code = systole_measure_prepared(&warm, weights, job, c, 1, 0);
  if (code == 0 && warm.stats[0].wall_s < 1) {
    code = systole_measure_prepared(&warm, weights, job, c, 1, 0);
  }
  systole_samples_free(&warm);
  return code;
}

static int by_wall(const void *left, const void *right) {
  const systole_stats *a = left, *b = right;
  return (a->wall_s > b->wall_s) - (a->wall_s < b->wall_s);
}

void systole_summarise(systole_result *result, const systole_station *station,
                       const systole_job *job, systole_samples *samples) {
  snprintf(result->device, sizeof result->device, "%s",
           systole_device_name(station->device));
  result->m = job->m;
  result->n = job->n;
  result->k = job->k;
  result->geometry = station->geometry;
  result->format = station->format;
  result->int8_results = station->format == SYSTOLE_FORMAT_S8 && systole_job_is_s8(job);
  result->threads = station->threads;
  result->peak_gops = station->peak_gops;
  result->peak_kind =
      station->peak_gops > 0 ? SYSTOLE_KIND_MEASURED : SYSTOLE_KIND_UNKNOWN;
  result->peak_instruction = station->peak_instruction;
  if (job->m == 1 && job->n > 0 && job->k > 0) { /* each weight is used once */
    const int64_t bytes =
        job->n * job->k * systole_format_bytes(station->format); /* it is in memory */
    (void)systole_device_measured_bandwidth(station->device, (uint64_t)bytes,
                                            &result->bandwidth_gbs);
  }
  result->repeats = (int)samples->count;
  if (samples->count == 0) return;
  qsort(samples->stats, samples->count, sizeof samples->stats[0], by_wall);
  const size_t last = samples->count - 1;
  result->stats = samples->stats[samples->count / 2];
  result->wall_low_s = samples->stats[last / 4].wall_s;
  result->wall_high_s = samples->stats[last - last / 4].wall_s;
}
