/* What `compare` runs: a list of products with their operands and right results. */
#ifndef SYSTOLE_CLI_WORKLOAD_H
#define SYSTOLE_CLI_WORKLOAD_H

#include <stdint.h>

#include "conv_task.h"
#include "measure.h"
#include "systole/systole.h"

typedef struct systole_item {
  char label[48];
  systole_job job; /* points into this item's memory */
  systole_conv_task
      *task; /* a convolution, and what job says is its size alone; or NULL */
  int8_t *a, *b;
  float *a_f32, *b_f32; /* NULL until systole_workload_floats */
  int32_t *bias, *multiplier;
  uint8_t *shift;
  systole_epilogue epilogue;
  void *expected;          /* [m][n], int32_t or int8_t as the job says */
  const char *verified_by; /* what the reference itself was checked with */
} systole_item;

typedef struct systole_workload {
  char name[16];   /* "gemm", "mlp" or a network of layers.h */
  char title[160]; /* for people */
  int has_seed;
  uint64_t seed;
  systole_item *items;
  size_t count;
  /* mlp: the first pictures that went in, for the report. Owned. */
  uint8_t *pictures; /* [picture_count][picture_side * picture_side] */
  int picture_count, picture_side;
} systole_workload;

typedef struct systole_workload_request {
  const char *name;            /* "gemm", "mlp", "resnet50", ... */
  const char *sizes;           /* gemm: "64,128,100x200x300"; NULL: the default sweep */
  const char *a_path, *b_path; /* gemm: one pair of files */
  const char *images;          /* mlp: IDX file; NULL: digits drawn from the seed */
  int64_t hidden, batch;
  uint64_t seed;
  int no_data; /* 1: for cycles alone; sizes without operands, nothing to solve */
} systole_workload_request;

/* Parses and checks, draws or reads operands; computes nothing yet. Returns an exit code.
 */
int systole_workload_open(systole_workload *out, const systole_workload_request *request);

/* Computes what every product must give, with `cpu` for speed and checked by other code.
 * For a network this also makes the inputs of the later layers. Returns an exit code. */
int systole_workload_solve(systole_workload *workload, systole_device *cpu);

/* Gives every product the same integers as float32, for devices of float formats; all of
 * the formats hold them exactly. After systole_workload_solve. Returns an exit code. */
int systole_workload_floats(systole_workload *workload);

/* Convolutions leave their residuals out, for devices that add none. Returns how many had
 * one. */
size_t systole_workload_drop_residuals(systole_workload *workload);

void systole_workload_free(systole_workload *workload);

/* Used by network.c. */
int systole_item_reserve(systole_item *item, int64_t m, int64_t n, int64_t k);
int systole_item_raw(systole_item *item, systole_device *cpu, int32_t *raw);

#endif
