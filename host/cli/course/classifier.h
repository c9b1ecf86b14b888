/* The network 784-n-n-10 on one device: three products whose weights are prepared once,
 * run one after the other for any part of the batch, and checked. */
#ifndef SYSTOLE_CLI_COURSE_CLASSIFIER_H
#define SYSTOLE_CLI_COURSE_CLASSIFIER_H

#include "measure.h"
#include "report/shares.h"
#include "workload.h"

enum { SystoleClassifierLayers = 3 };

/* The network itself: operands and right results for a whole batch. Smaller batches are
 * its first rows. */
typedef struct systole_classifier {
  systole_workload workload;
  int64_t hidden, batch;
} systole_classifier;

/* Draws and solves it. Returns an exit code. */
int systole_classifier_open(systole_classifier *out, int64_t hidden, int64_t batch,
                            uint64_t seed, systole_device *cpu);
void systole_classifier_close(systole_classifier *classifier);

/* Trainable ones: weights and biases. n = 4096: 20,037,642. */
double systole_classifier_parameters(int64_t hidden);
/* Multiply-accumulates of one picture. */
double systole_classifier_macs(int64_t hidden);

/* One pass. Times are sums over the layers. */
typedef struct systole_pass {
  double wall_s; /* what the caller waited; of a simulated device with its simulation */
  double end_s;  /* end to end: host, transfer and device */
  double device_s;
  systole_shares shares;
  systole_bounds energy_j; /* of the device; UNKNOWN: not known */
  uint64_t cycles;         /* 0: not simulated */
} systole_pass;

/* On one device. */
typedef struct systole_classifier_seat {
  const systole_classifier *classifier;
  const systole_station *station;
  systole_weights *weights[SystoleClassifierLayers];
  void *out; /* a layer's results */
} systole_classifier_seat;

int systole_classifier_sit(systole_classifier_seat *out,
                           const systole_classifier *classifier,
                           const systole_station *station);
void systole_classifier_leave(systole_classifier_seat *seat);

/* Runs the first `batch` pictures. mismatches may be NULL: not compared. Returns an exit
 * code. */
int systole_classifier_pass(systole_pass *out, uint64_t *mismatches,
                            systole_classifier_seat *seat, int64_t batch);

/* Passes of one seat and batch. */
typedef struct systole_passes {
  systole_pass *list;
  size_t count, capacity;
} systole_passes;

int systole_passes_add(systole_passes *passes, const systole_pass *pass);
void systole_passes_free(systole_passes *passes);

/* Sorted by the time from end to end: its quantile q, and the pass that is the median. */
void systole_passes_sort(systole_passes *passes);
double systole_passes_end(const systole_passes *passes, double q);
const systole_pass *systole_passes_median(const systole_passes *passes);

#endif
