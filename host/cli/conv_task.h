/* A convolution with its operands, as the command line runs and checks it. */
#ifndef SYSTOLE_CLI_CONV_TASK_H
#define SYSTOLE_CLI_CONV_TASK_H

#include "check.h"
#include "measure.h"

typedef struct systole_conv_task {
  systole_conv2d conv; /* its pointers are to what stands below */
  systole_epilogue epilogue;
  int8_t *input, *weights, *residual;
  int32_t *bias, *multiplier;
  uint8_t *shift;
  int64_t out_height, out_width;
  uint64_t outputs; /* elements of the output */
  systole_job job;  /* the matrix product it amounts to; without operands */
  int no_data;      /* 1: for cycles alone; no operands are drawn */
} systole_conv_task;

/* What is drawn at random beside the operands. */
typedef struct systole_conv_extras {
  int bias, requantise, relu, residual;
  int no_data; /* 1: none of it, nor operands; only what decides about cycles */
} systole_conv_extras;

/* Checks sizes, epilogue and memory, and fills out_height ... job. Returns an exit code.
 */
int systole_conv_task_size(systole_conv_task *task, int int8_results);

/* Draws what is not there yet (input, weights) and the extras, whose scale spreads the
 * int8 results over their range. Returns an exit code. */
int systole_conv_task_draw(systole_conv_task *task, const systole_conv_extras *extras,
                           uint64_t seed);

void systole_conv_task_free(systole_conv_task *task);

/* 1: int8 results. */
int systole_conv_task_is_s8(const systole_conv_task *task);
/* Bytes of the output. */
size_t systole_conv_task_bytes(const systole_conv_task *task);

/* Adds samples: one run where cycles are exact, else warm-ups and runs for budget_s (or
 * `repeat` of them). output has systole_conv_task_bytes. Returns an exit code. */
int systole_conv_task_measure(systole_samples *samples, const systole_station *station,
                              const systole_conv_task *task, void *output, int repeat,
                              double budget_s);

/* How much is computed by plain loops beside: what takes a fraction of a second, or, for
 * networks of many layers, of a hundredth. */
typedef enum systole_conv_check {
  SystoleCheckThorough,
  SystoleCheckQuick
} systole_conv_check;

/* What the CPU says, for several devices to be compared with; `by` is set to what
 * computed it: oneDNN's convolution or products of gathered windows, and, where it is
 * cheap, the plain loops as well, which must agree. Returns an exit code. */
int systole_conv_task_solve(void *expected, const char **by,
                            const systole_conv_task *task, const char *device,
                            systole_conv_check check);

/* Compares and fills checked ... of *result and *mismatch. */
void systole_conv_task_compare(systole_result *result, systole_mismatch *mismatch,
                               const systole_conv_task *task, const void *output,
                               const void *expected, const char *by);

/* systole_summarise, and the shape of the convolution. */
void systole_conv_task_summarise(systole_result *result, const systole_station *station,
                                 const systole_conv_task *task, systole_samples *samples);

/* Stores the sentence for a wrong result; returns SYSTOLE_EXIT_WRONG. */
int systole_conv_wrong_story(const systole_result *result,
                             const systole_mismatch *mismatch,
                             const systole_conv_task *task);

#endif
