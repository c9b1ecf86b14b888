/* Amdahl's law on a measured profile: an application of three stages, of which the
 * products in the middle are offloaded.
 *   prepare   pictures are normalised and quantised: byte -> real -> int8
 *   products  the three layers with their epilogues
 *   finish    softmax over the classes, and the best of them
 * Normalised with the mean and deviation of the MNIST training set (0.1307, 0.3081: what
 * PyTorch's MNIST example uses). */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "course/parts.h"
#include "report/formulas.h"
#include "signals.h"
#include "story.h"
#include "support/clock.h"

enum { Hidden = 1024, Batch = 256, QuickHidden = 128, QuickBatch = 16, Classes = 10 };
enum { Rounds = 31, QuickRounds = 7, Inputs = 784 };

static int by_value(const void *left, const void *right) {
  const double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

static double median_of(double *values, size_t count) {
  qsort(values, count, sizeof *values, by_value);
  return systole_quantile(values, count, 0.5);
}

/* byte p -> (p / 255 - mean) / deviation -> int8 over the range of the data. */
static void prepare(int8_t *out, const uint8_t *pixels, size_t count) {
  const float mean = 0.1307f, deviation = 0.3081f;
  const float low = (0 - mean) / deviation, high = (1 - mean) / deviation;
  const float steps = 255 / (high - low);
  for (size_t i = 0; i < count; i++) {
    const float real = ((float)pixels[i] / 255 - mean) / deviation;
    out[i] = (int8_t)((int)lrintf((real - low) * steps) - 128);
  }
}

/* Returns the sum of the winning probabilities, so that nothing is optimised away. */
static double finish(int *classes, const int32_t *scores, int64_t batch) {
  double sum = 0;
  for (int64_t i = 0; i < batch; i++) {
    const int32_t *row = scores + i * Classes;
    float total = 0, largest = (float)row[0];
    classes[i] = 0;
    for (int j = 1; j < Classes; j++) {
      if ((float)row[j] > largest) {
        largest = (float)row[j];
        classes[i] = j;
      }
    }
    for (int j = 0; j < Classes; j++) total += expf(((float)row[j] - largest) / 65536);
    sum += 1 / (double)total;
  }
  return sum;
}

int systole_profile_measure(systole_course *course, int *wrong) {
  const systole_fleet *fleet = course->fleet;
  systole_profile *profile = &course->profile;
  const int rounds = course->request.quick ? QuickRounds : Rounds;
  profile->hidden = course->request.quick ? QuickHidden : Hidden;
  profile->batch = course->request.quick ? QuickBatch : Batch;
  profile->repeats = (size_t)rounds;
  const size_t pixels = (size_t)profile->batch * Inputs;
  systole_classifier network = {0};
  systole_classifier_seat seats[SystoleFleetDevices];
  systole_passes passes[SystoleFleetDevices];
  memset(seats, 0, sizeof seats);
  memset(passes, 0, sizeof passes);
  uint8_t *bytes = malloc(pixels);
  int8_t *prepared = malloc(pixels);
  int *classes = calloc((size_t)profile->batch, sizeof *classes);
  double prepare_s[Rounds], finish_s[Rounds];
  volatile double sink = 0; /* keeps the result of `finish` alive */
  int code = bytes != NULL && prepared != NULL && classes != NULL
                 ? 0
                 : systole_story_errno(ENOMEM, "cannot hold the profile");
  if (code != 0) goto done;
  systole_course_stage(course, "profile of an application");
  code = systole_classifier_open(&network, profile->hidden, profile->batch,
                                 course->request.seed, course->cpu);
  if (code != 0) goto done;
  const systole_item *first = &network.workload.items[0];
  const int32_t *scores = network.workload.items[SystoleClassifierLayers - 1].expected;
  for (size_t i = 0; i < pixels; i++) bytes[i] = (uint8_t)(first->a[i] + 128);
  for (size_t d = 0; d < fleet->count && code == 0; d++) {
    uint64_t mismatches = 0;
    systole_pass pass;
    code = systole_classifier_sit(&seats[d], &network, &fleet->stations[d]);
    if (code == 0) {
      code = systole_classifier_pass(&pass, &mismatches, &seats[d], profile->batch);
    }
    systole_course_wrong(wrong, fleet->devices[d].name, profile->hidden, profile->batch,
                         mismatches);
  }
  for (int round = 0; round < rounds && code == 0; round++) {
    systole_bar_steps(&course->bar, (uint64_t)round, (uint64_t)rounds);
    double started = systole_wall_seconds();
    prepare(prepared, bytes, pixels);
    prepare_s[round] = systole_wall_seconds() - started;
    for (size_t d = 0; d < fleet->count && code == 0; d++) {
      const int varies = systole_station_varies(&fleet->stations[d]);
      systole_pass pass;
      if (!varies && round >= 3) continue;
      code = systole_classifier_pass(&pass, NULL, &seats[d], profile->batch);
      if (code == 0) code = systole_passes_add(&passes[d], &pass);
    }
    started = systole_wall_seconds();
    sink += finish(classes, scores, profile->batch);
    finish_s[round] = systole_wall_seconds() - started;
  }
  if (code != 0) goto done;
  profile->prepare_s = median_of(prepare_s, (size_t)rounds);
  profile->finish_s = median_of(finish_s, (size_t)rounds);
  for (size_t d = 0; d < fleet->count; d++) {
    systole_passes_sort(&passes[d]);
    const systole_pass *median = systole_passes_median(&passes[d]);
    profile->products_s[d] = median->device_s;
    profile->end_s[d] = median->end_s;
  }

done:
  for (size_t d = 0; d < fleet->count; d++) {
    systole_passes_free(&passes[d]);
    systole_classifier_leave(&seats[d]);
  }
  systole_classifier_close(&network);
  free(classes);
  free(prepared);
  free(bytes);
  return code;
}

void systole_profile_table(const systole_course *course, systole_tables *tables) {
  const systole_profile *profile = &course->profile;
  const systole_fleet *fleet = course->fleet;
  size_t cpu = fleet->count, best = fleet->count;
  double best_reached = 0;
  for (size_t d = 0; d < fleet->count; d++) {
    if (strcmp(fleet->devices[d].name, "cpu") == 0) cpu = d;
  }
  if (cpu == fleet->count) return;
  char caption[720], source[96];
  snprintf(
      caption, sizeof caption,
      "An application that classifies %lld pictures at a time with 784-%lld-%lld-10: "
      "quantise the pictures, three int8 products, softmax. p is the products' share "
      "of its time on this CPU; S = 1 / ((1 - p) + p / s) is the whole's speed-up "
      "when they become s times faster, and S max = 1 / (1 - p) what no accelerator "
      "can pass. Reached is the time of the CPU alone over the time with the device, "
      "its packing and transfers included; it can be below the law, which knows no "
      "transfers.",
      (long long)profile->batch, (long long)profile->hidden, (long long)profile->hidden);
  snprintf(source, sizeof source, "wall time, median of %zu", profile->repeats);
  const double rest = profile->prepare_s + profile->finish_s;
  const double products = profile->products_s[cpu], whole = rest + products;
  const double p = products / whole;
  systole_table *table =
      systole_tables_add(tables, "amdahl", "Amdahl's law on a measured profile", caption);
  systole_table_column(table, "device", "products on", "");
  systole_table_column(table, "prepare_ms", "quantise", "ms, host");
  systole_table_column(table, "products_ms", "products", "ms, device");
  systole_table_column(table, "offload_ms", "packing, transfers", "ms");
  systole_table_column(table, "finish_ms", "softmax", "ms, host");
  systole_table_column(table, "offloaded_percent", "p, offloaded", "% of the CPU's time");
  systole_table_column(table, "s", "s", "products alone");
  systole_table_column(table, "law", "S by the law", "");
  systole_table_column(table, "limit", "S max", "");
  systole_table_column(table, "reached", "S reached", "");
  for (size_t d = 0; d < fleet->count; d++) {
    const systole_kind kind = systole_course_kind(&fleet->stations[d]);
    const double s = products / profile->products_s[d];
    const double reached = whole / (rest + profile->end_s[d]);
    systole_table_row(table);
    systole_table_text(table, fleet->devices[d].name);
    systole_table_number(table, SYSTOLE_KIND_MEASURED, 1e3 * profile->prepare_s, source);
    systole_table_number(
        table, kind, 1e3 * profile->products_s[d],
        kind == SYSTOLE_KIND_MEASURED ? source : "cycles over the clock");
    if (d == cpu) {
      systole_table_empty(table);
    } else {
      systole_table_number(table, kind,
                           1e3 * (profile->end_s[d] - profile->products_s[d]),
                           "the host's part measured; a simulated card's link assumed");
    }
    systole_table_number(table, SYSTOLE_KIND_MEASURED, 1e3 * profile->finish_s, source);
    if (d == cpu) {
      systole_table_text(table, "none");
    } else {
      systole_table_number(table, SYSTOLE_KIND_MEASURED, 100 * p,
                           "products over all stages, on this CPU");
    }
    systole_table_number(table, kind, s, "the CPU's products over the device's");
    systole_table_number(table, kind, systole_amdahl(p, s), "Amdahl's law with p and s");
    systole_table_number(table, SYSTOLE_KIND_MEASURED, systole_amdahl_limit(p),
                         "1 / (1 - p)");
    systole_table_number(table, kind, reached, "stages added up, offloading included");
    if (d != cpu && reached > best_reached) {
      best_reached = reached;
      best = d;
    }
  }
  if (best < fleet->count) {
    systole_table_finding(table,
                          "%.0f %% of the time can be offloaded, so %.3g times is the "
                          "limit; %s reaches %.3g.",
                          100 * p, systole_amdahl_limit(p), fleet->devices[best].name,
                          best_reached);
  }
}
